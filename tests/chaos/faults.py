"""What is done to a run: each fault takes the trial, waits for its moment and strikes.

Owns the ways to strike, in the pod, in the cluster and on the machine. It must not judge what comes of it.
Only processes of the trial and of the node are ended, each by its id.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.deadlines import Deadline
from tests.chaos import devices
from tests.chaos import trial as trials
from tests.chaos.suite import CACHE, VERDICTS
from tests.cluster.own_node import component, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.trial import Trial

    Fault = Callable[[Trial], None]

FINALIZER = "paddock.dev/chaos"
FAILED_CALL = subprocess.CalledProcessError
"""What kubectl's failure becomes."""

AT_MOST = 12.0
"""Seconds after its start within which a fault at a random moment strikes: a run takes about that long."""


def nothing(trial: Trial) -> None:
    """Let the run be."""
    trial.let_go_on(trial.await_victim().worker)


def at_random(strike: Fault) -> Fault:
    """Strike at any moment of the run, before its first line or after its last test; the victim waits for nobody."""

    def fault(trial: Trial) -> None:
        seconds = random.SystemRandom().uniform(0, AT_MOST)
        trial.notes.append(f"struck after {seconds:.2f} s")
        threading.Event().wait(seconds)
        with suppress(ProcessLookupError):  # the run was faster
            strike(trial)

    return fault


# ---- the client


def kill_client(trial: Trial) -> None:
    """Kill the client as kill -9 does, its children too: nobody is left to clean up."""
    os.killpg(trial.process.pid, signal.SIGKILL)


def kill_client_in_a_test(trial: Trial) -> None:
    """The same while a test runs."""
    trial.await_victim()
    kill_client(trial)


def kill_nox_in_a_test(trial: Trial) -> None:
    """Kill nox alone: pytest goes on without it."""
    victim = trial.await_victim()
    trial.process.kill()
    trial.let_go_on(victim.worker)


def pause_client(trial: Trial) -> None:
    """Stop the client for longer than its record counts, as a laptop that is closed; then let it come back."""
    trial.await_victim()
    trial.signal(signal.SIGSTOP)
    _await(lambda: not trial.namespaces(), "others ended the run")
    trial.signal(signal.SIGCONT)


def interrupt_after(*patterns: str, number: signal.Signals = signal.SIGINT) -> Fault:
    """Interrupt as soon as something has been printed, and again for each further pattern."""

    def fault(trial: Trial) -> None:
        for pattern in patterns:
            trial.await_text(pattern)
            trial.signal(number)

    return fault


def interrupt_while_sending(trial: Trial) -> None:
    """Press Ctrl-C when the sources are on their way: workers have pods, and have read part of them."""
    _await(lambda: _receives(trial, "gw0"), "sources are being sent")
    trial.signal(signal.SIGINT)


def interrupt_while_making(trial: Trial) -> None:
    """Press Ctrl-C when a layer of the images is being made: its files are put together in a folder of their own."""
    work = trial.project / CACHE / "images" / "work"
    _await(lambda: any(work.glob("*")), "a layer is being made")
    trial.signal(signal.SIGINT)


def _receives(trial: Trial, worker: str) -> bool:
    return _succeeds(trial, worker, f"import os; os.stat({str(trial.project / 'ballast')!r})")


def interrupt_the_end(trial: Trial) -> None:
    """Press Ctrl-C when pytest begins its summary: all that is left to do is to give back."""
    trial.let_go_on(trial.await_victim().worker)
    trial.await_text("= FAILURES =")
    trial.signal(signal.SIGINT)


def interrupt(trial: Trial) -> None:
    """Press Ctrl-C."""
    trial.signal(signal.SIGINT)


def await_end(trial: Trial) -> None:
    """Strike nothing: the run cannot begin."""
    trial.finish()


# ---- the worker


def kill_worker(trial: Trial) -> None:
    """Kill the victim's process from elsewhere in its pod."""
    victim = trial.await_victim()
    trial.inside(victim.worker, f"import os; os.kill({victim.process}, {signal.SIGKILL:d})")


def kill_supervisor(trial: Trial) -> None:
    """Kill the first process of the victim's pod, from outside: the kernel protects it from inside."""
    os.kill(first_process(trial, trial.await_victim().worker), signal.SIGKILL)


def first_process(trial: Trial, worker: str) -> int:
    """Return the process id, as this machine sees it, of the first process of a worker's container."""
    status = trial.read("pod", "worker", trial.namespace(worker))["status"]
    container = str(status["containerStatuses"][0]["containerID"]).rpartition("/")[2]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if container in (folder / "cgroup").read_text() and _is_first(folder):
                return int(folder.name)
    raise LookupError(f"no process of container {container} was found")


def _is_first(folder: Path) -> bool:
    ids = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("NSpid:"))
    return ids.split()[-1] == "1"


def delete_pod(trial: Trial) -> None:
    """Delete the victim's pod by hand."""
    namespace = trial.namespace(trial.await_victim().worker)
    trial.node.kubectl("delete", "pod", "worker", "-n", namespace, "--wait=false")


def delete_namespace(trial: Trial) -> None:
    """Delete the victim's namespace by hand."""
    namespace = trial.namespace(trial.await_victim().worker)
    trial.node.kubectl("delete", "namespace", namespace, "--wait=false")


def then_let_go_on(strike: Fault) -> Fault:
    """Strike, and let the victim go on when it runs again on another worker."""

    def fault(trial: Trial) -> None:
        first = trial.await_victim().worker
        strike(trial)
        trial.let_go_on(trial.await_text(rf"\[(?!{first}\])(gw\d+)\] the victim waits as process")[1])

    return fault


def await_victim_only(trial: Trial) -> None:
    """Strike nothing from outside: the victim does it itself."""
    trial.await_victim()


# ---- the node


def kill_component(name: str) -> Fault:
    """Kill a part of the node while the victim runs; it goes on when the part is back."""

    def fault(trial: Trial) -> None:
        victim = trial.await_victim()
        kill(name)
        _await(lambda: _succeeds(trial, victim.worker, "pass"), f"pods can be reached after the end of {name}")
        trial.let_go_on(victim.worker)

    return fault


def component_killer(name: str) -> Fault:
    """Return what kills a part of the node and waits for nothing."""

    def strike(_trial: Trial) -> None:
        process = component(name).process
        if process:  # else it is still coming back from the trial before
            process.kill()

    return strike


def _succeeds(trial: Trial, worker: str, program: str) -> bool:
    try:
        trial.inside(worker, program)
    except FAILED_CALL:
        return False
    return True


# ---- devices


def in_the_middle(strike: Fault) -> Fault:
    """Strike at any moment from the run's first line on; before it nothing of the run is there."""

    def fault(trial: Trial) -> None:
        trial.await_text("paddock: run ")
        at_random(strike)(trial)

    return fault


def kill_plugin(_trial: Trial) -> None:
    """Kill the device plugin; another begins a moment after."""
    devices.bench().kill_plugin()


def unplug_and_plug_in(trial: Trial) -> None:
    """Take the victim's device away in the middle of its test, and put it back when that has been told."""
    victim = trial.await_victim()
    device = held_by(trial, victim.worker)
    devices.bench().unplug(device)
    trial.let_go_on(victim.worker)
    trial.await_text("was sick after")
    devices.bench().plug_in(device)


def held_by(trial: Trial, worker: str) -> str:
    """Return the node of the device that a worker's pod holds."""
    program = "import os; print(os.environ['PADDOCK_DEVICES_CORAL'])"
    where = ("-n", trial.namespace(worker), "worker")
    found = json.loads(trial.node.kubectl("exec", *where, "--", "python3", "-c", program))
    return str(found["devices"][0]["paths"][0])


# ---- the cluster


def hold_a_finalizer(trial: Trial) -> None:
    """Put an object with a finalizer into the victim's namespace: it cannot go while that is there."""
    victim = trial.await_victim()
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": trial.namespace(victim.worker), "finalizers": [FINALIZER]},
    }
    file = trial.project / "held.json"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    trial.node.kubectl("create", "-f", str(file))
    trial.let_go_on(victim.worker)


def exhaust_quota(trial: Trial) -> None:
    """Put a quota into each namespace as soon as it is there, with room for the worker's pod alone."""
    _await(lambda: len(trial.namespaces()) == 2, "both namespaces are made")
    for namespace in trial.namespaces():
        trial.node.kubectl("create", "quota", "exhausted", "--hard=pods=1", "-n", namespace)
    nothing(trial)


def start_another_run(trial: Trial) -> None:
    """Let a second run of the same project go through while the first is in the middle."""
    victim = trial.await_victim()
    other = trials.begin(trial.node, trial.project)
    with trials.ended(other):
        other.let_go_on(other.await_victim().worker)
        assert other.finish() == 1, other.output
        assert set(other.verdicts()) == set(VERDICTS), other.output
    trial.let_go_on(victim.worker)


def two_reapers(trial: Trial) -> None:
    """Kill the client and let two reapers look for what it left at the same time."""
    kill_client_in_a_test(trial)
    trial.process.wait()
    reapers = [trials.paddock(trial.project, "reap") for _ in range(2)]
    outputs = [reaper.communicate(timeout=trials.PATIENCE)[0] for reaper in reapers]
    trial.notes += outputs
    assert [reaper.returncode for reaper in reapers] == [0, 0], outputs


def free_the_finalizer(trial: Trial) -> None:
    """Take the finalizer off, as whoever put it there does one day."""
    for namespace in trial.namespaces():
        with suppress(FAILED_CALL):  # the other worker's namespace has none
            trial.node.kubectl(
                *("patch", "configmap", "held", "-n", namespace, "--type=merge"),
                *("-p", '{"metadata": {"finalizers": null}}'),
            )


def _await(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    pause, deadline = threading.Event(), Deadline(seconds)
    while not condition():
        assert not deadline.passed, f"not within {seconds:.0f} s: {what}"
        pause.wait(0.2)
