"""From nothing to four namespaces whose worker runs and whose broker and database answer.

Against a plain script: kubectl is given the same objects, one file and one process for each namespace, all at once.
Both ways are polled by the same code, which connects to the pods as a test would: an MQTT CONNACK and ``SELECT 1``.
A run lets the services of a namespace begin when its worker has collected its tests; here, when the worker runs.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks._shared import LIMIT, images_of, settle, show
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.deadlines import Deadline
from paddock.fixtures import services as checks
from paddock.namespaces import diagnosis, manifests, records
from paddock.namespaces.leases import Leases
from paddock.namespaces.release import release
from paddock.services import broker, database
from paddock.specs import RunPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.cluster.client import Cluster
    from paddock.namespaces.manifests import NamespaceObjects
    from paddock.node import NodeAccess
    from paddock.specs import ServiceFacts

WORKERS = ("gw0", "gw1", "gw2", "gw3")
PAUSE = 0.05


def main() -> None:
    """Measure, print the figures and end with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    ways: dict[str, Callable[[Cluster, RunPlan, Secrets], float]] = {
        "paddock's leases": lease,
        "a plain script": lambda cluster, plan, secrets: script(cluster, plan, secrets, access),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for way, measure in ways.items():
                settle(cluster)
                seconds = once(cluster, measure, access, Path(folder))
                if number:  # the first round unpacks images on the node
                    found[way].append(seconds)
    for way, seconds_of in found.items():
        show(f"{way}: {len(WORKERS)} namespaces, all answering", seconds_of)
    ours, plain = (statistics.median(each) for each in found.values())
    print(f"ratio: {ours / plain:.2f}")


Secrets = dict[str, dict[str, dict[str, str]]]
"""Worker -> service -> entry of its Secret -> value."""


def once(
    cluster: Cluster, measure: Callable[[Cluster, RunPlan, Secrets], float], access: NodeAccess, root: Path
) -> float:
    """Return the seconds of one way for a fresh run, which is released afterwards."""
    made, python = images_of(access.registry, root)
    run_id = names.new_run_id()
    plan = RunPlan(run_id=run_id, workers=WORKERS, root=root, working_directory=root, images=made, python=python)
    secrets = {worker: {broker.NAME: broker.credentials(), database.NAME: database.credentials()} for worker in WORKERS}
    records.write(cluster, run_id, "benchmark")
    try:
        return measure(cluster, plan, secrets)
    finally:
        release(cluster, run_id, [names.namespace_name(run_id, worker) for worker in WORKERS])


def lease(cluster: Cluster, plan: RunPlan, secrets: Secrets) -> float:
    """Make the namespaces as a run does."""
    started = time.perf_counter()
    leases = Leases(cluster, plan.run_id, plan.limits)
    for worker in WORKERS:
        leases.begin(manifests.build(plan, worker, secrets[worker]))

    def begin_services(worker: str) -> None:
        namespace = names.namespace_name(plan.run_id, worker)
        leases.await_worker(namespace)
        leases.end_head_start(namespace)

    beginners = [threading.Thread(target=begin_services, args=(worker,)) for worker in WORKERS]
    for beginner in beginners:
        beginner.start()
    try:
        return await_all(cluster, plan, secrets) - started
    finally:
        for beginner in beginners:
            beginner.join()
        leases.close()


def script(cluster: Cluster, plan: RunPlan, secrets: Secrets, access: NodeAccess) -> float:
    """Have kubectl make the same objects from a file for each namespace, all files at once."""
    kubectl = [str(node.tool("kubectl")), f"--kubeconfig={access.kubeconfig}"]
    with contextlib.ExitStack() as stack:
        files = []
        for worker in WORKERS:
            file = stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".yaml"))
            file.write(as_yaml(manifests.build(plan, worker, secrets[worker])))
            file.flush()
            files.append(file.name)
        started = time.perf_counter()
        pipe = subprocess.PIPE
        makers = [
            stack.enter_context(subprocess.Popen([*kubectl, "create", "-f", file], stdout=pipe, stderr=pipe))
            for file in files
        ]
        seconds = await_all(cluster, plan, secrets) - started
        for maker in makers:
            _, errors = maker.communicate()
            if maker.returncode:
                raise SystemExit(f"the plain script failed: {errors.decode()}")
    return seconds


def as_yaml(objects: NamespaceObjects) -> str:
    """Return the objects as kubectl reads them, in the order of their making."""
    return yaml.safe_dump_all([yaml.safe_load(yaml.safe_dump(manifest)) for manifest in objects.all()])


def await_all(cluster: Cluster, plan: RunPlan, secrets: Secrets) -> float:
    """Return the time at which every worker ran and every service had answered."""
    awaited = {(names.namespace_name(plan.run_id, worker), name) for worker in WORKERS for name in CHECKS}
    by_namespace = {names.namespace_name(plan.run_id, worker): secrets[worker] for worker in WORKERS}
    deadline, pause = Deadline(LIMIT), threading.Event()
    while awaited and not deadline.passed:
        for pod in cluster.list_objects(requests.POD, selector=names.selector(names.labels(plan.run_id))):
            key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
            if key in awaited and answers(pod, by_namespace[key[0]]):
                awaited.discard(key)
        pause.wait(PAUSE)
    if awaited:
        raise SystemExit(f"never answered: {sorted(awaited)}")
    return time.perf_counter()


def answers(pod: dict[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a pod is ready for a test: it runs, and a service answers at its address."""
    return diagnosis.is_running(pod) and CHECKS[pod["metadata"]["name"]](pod["status"].get("podIP", ""), secrets)


def broker_answers(address: str, secrets: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the broker accepts the worker's user."""
    return succeeds(checks.connect_to_broker, replace(broker.facts(secrets[broker.NAME]), host=address))


def database_answers(address: str, secrets: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the database answers ``SELECT 1``."""
    return succeeds(checks.ask_database, replace(database.facts(secrets[database.NAME]), host=address))


def succeeds(check: Callable[[ServiceFacts], None], facts: ServiceFacts) -> bool:
    """Whether a check raises nothing."""
    try:
        check(facts)
    except Exception:  # noqa: BLE001 - a service that is not there yet fails in many ways
        return False
    return True


CHECKS: dict[str, Callable[[str, Mapping[str, Mapping[str, str]]], bool]] = {
    "worker": lambda _address, _secrets: True,
    broker.NAME: broker_answers,
    database.NAME: database_answers,
}


if __name__ == "__main__":
    main()
