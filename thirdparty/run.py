"""Runs other projects' suites, unchanged, and compares their verdicts with those they give without Paddock.

    nox -s thirdparty [-- SUITE…]

The suite comes from the project's source distribution on PyPI, checked against its hash, into an environment of its
own. Three runs: without xdist and with stock ``-n 4``, both on one server, and in four namespaces. A test whose
verdict differs from the serial run's is printed; any such test makes the exit code 1.
pytest-xdist's tests start pytest themselves: those runs go through Paddock, and what ``xdist_outer`` says is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._shared import LIMIT, images_of
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.fixtures.services import ask_database
from paddock.namespaces import manifests, records
from paddock.namespaces.leases import Leases
from paddock.namespaces.release import release
from paddock.services import broker, database
from paddock.specs import RunPlan
from thirdparty.suites import HERE, Suite, environment, fetch, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paddock.specs import ServiceFacts

WORKERS = 4


def main() -> int:
    """Run the suites named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    known = tomllib.loads((HERE / "suites.toml").read_text(encoding="utf-8"))
    parser.add_argument("suites", nargs="*", default=list(known), metavar="SUITE", help=f"one of {', '.join(known)}")
    chosen = [Suite(name=name, **known[name]) for name in parser.parse_args().suites]
    different = [suite.name for suite in chosen if not (as_listed(suite) if suite.inner else same(suite))]
    if different:
        print(f"verdicts differ: {', '.join(different)}")
    return len(different) > 0


def same(suite: Suite) -> bool:
    """Run a suite in its three ways and tell whether namespaces gave the serial verdicts."""
    with tempfile.TemporaryDirectory() as folder, shared_database() as facts:
        project, python = fetch(suite, Path(folder)), environment(suite, Path(folder))
        serial = run(suite, project, python, shared=facts)
        print(f"{suite.name}: serially, one server        {serial.line()}", flush=True)
        stock = run(suite, project, python, "-n", str(WORKERS), shared=facts)
        print(f"{suite.name}: stock -n {WORKERS}, one server      {stock.line()}", flush=True)
        ours = run(suite, project, python, "--paddock", "-n", str(WORKERS))
        print(f"{suite.name}: --paddock -n {WORKERS}              {ours.line()}", flush=True)
    for test in sorted(set(serial.verdicts) | set(ours.verdicts)):
        before, now = serial.verdicts.get(test, "absent"), ours.verdicts.get(test, "absent")
        if before != now:
            print(f"  {test}: {before} serially, {now} in namespaces")
    return serial.verdicts == ours.verdicts


def as_listed(suite: Suite) -> bool:
    """Run a suite whose tests start pytest themselves and tell whether just the listed tests fail."""
    with tempfile.TemporaryDirectory() as folder:
        project, python = fetch(suite, Path(folder)), environment(suite, Path(folder))
        ours = run(suite, project, python)
    print(f"{suite.name}: its own runs through Paddock {ours.line()}", flush=True)
    wrong = {test: verdict for test, verdict in ours.verdicts.items() if verdict in {"failure", "error"}}
    for test, verdict in sorted(wrong.items()):
        print(f"  {test}: {verdict}")
    return not wrong


@contextlib.contextmanager
def shared_database() -> Iterator[ServiceFacts]:
    """Yield a database server as a worker gets one, reachable from this machine, for the runs that share one."""
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    root = Path.cwd()
    made, python = images_of(access.registry, root)
    run_id = names.new_run_id()
    plan = RunPlan(run_id=run_id, workers=["gw0"], root=root, working_directory=root, images=made, python=python)
    secrets = {broker.NAME: broker.credentials(), database.NAME: database.credentials()}
    namespace = names.namespace_name(run_id, "gw0")
    records.write(cluster, run_id, "thirdparty")
    leases = Leases(cluster, run_id, plan.limits)
    watch = Watch(cluster, requests.POD, names.selector(names.labels(run_id)))
    try:
        leases.begin(manifests.build(plan, "gw0", secrets))
        yield answering(watch, namespace, secrets[database.NAME])
    finally:
        watch.close()
        leases.close()
        release(cluster, run_id, [namespace])


def answering(watch: Watch, namespace: str, secret: Mapping[str, str]) -> ServiceFacts:
    """Return the facts of the database server in a namespace, at its pod's address, once it answers."""
    deadline = Deadline(LIMIT)
    address = watch.wait(
        lambda pods: pods.get((namespace, database.NAME), {}).get("status", {}).get("podIP") or None, deadline
    )
    facts = replace(database.facts(secret), host=str(address))
    while not deadline.passed:
        with contextlib.suppress(Exception):  # a server that is not there yet fails in many ways
            ask_database(facts)
            return facts
    raise SystemExit(f"The shared database at {address} did not answer within {LIMIT:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
