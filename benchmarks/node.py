"""How long `paddock node up` takes with everything built, beside a plain shell script that starts the same programs.

    nox -s bench -- node [ROUNDS]

Both start with the same binaries and flags and end when the Node is Ready; the script is given certificates and
configuration, waits with kubectl and starts neither registry nor DNS, so whatever `up` does besides counts against it.
The rounds alternate. Needs root, and no node that is up.
"""

from __future__ import annotations

import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from paddock import node
from paddock.node import cgroups, machine, preparing
from paddock.node.building import build_all, tool
from paddock.node.components import components
from paddock.node.places import ADMIN_KUBECONFIG
from paddock.node.planning import plan
from paddock.node.processes import proportional_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.node.components import Component
    from paddock.node.layout import NodeLayout

ROUNDS = 5
FIRST = ("containerd", "etcd", "kube-apiserver")
THEN = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


def script(layout: NodeLayout, kubectl: Path) -> str:
    """Return the plain script: the control plane, wait, the rest, wait."""
    known = {component.name: component for component in components(layout)}
    ask = f"{kubectl} --kubeconfig={ADMIN_KUBECONFIG} get"
    tracking = machine.hierarchies()[0] / layout.cgroup / "node" / "cgroup.procs"
    lines = [
        f"echo $$ > {tracking}",  # so that removing the node finds the processes
        *(start(known[name], layout) for name in FIRST),
        f"until {ask} --raw /readyz >/dev/null 2>&1; do sleep 0.1; done",
        *(start(known[name], layout) for name in THEN),
        f"until {ask} node {layout.name} 2>/dev/null | grep -q ' Ready'; do sleep 0.1; done",
    ]
    return "\n".join(lines)


def start(component: Component, layout: NodeLayout) -> str:
    """Return the line that starts a component in the background."""
    environment = [f"{name}={value}" for name, value in component.environment.items()]
    command = shlex.join(["setsid", "env", *environment, *component.arguments])
    return f"{command} < /dev/null > {layout.logs}/{component.name}.log 2>&1 &"


def plain() -> float:
    """Return the seconds that the plain script takes to a Ready node."""
    layout = plan(build_all(print), tool("pause").parent)
    preparing.prepare(layout)
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script(layout, tool("kubectl")))
        file.flush()
        return timed(["bash", file.name])


def supervised() -> float:
    """Return the seconds that `paddock node up` takes."""
    return timed([sys.executable, "-m", "paddock.node", "up"])


def timed(command: Sequence[str]) -> float:
    """Return the seconds that a command takes."""
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def once(way: Callable[[], float]) -> float:
    """Return the seconds of one start; nothing is left behind."""
    try:
        return way()
    finally:
        node.down()


def memory() -> float:
    """Return the bytes of all parts of a node that is up and idle, supervisor and shims included."""
    supervised()
    try:
        time.sleep(10)  # caches fill and garbage of the start is collected
        return sum(map(proportional_memory, cgroups.processes("paddock")))
    finally:
        node.down()


def summary(name: str, seconds: Sequence[float]) -> str:
    """Return a line with the median and the spread."""
    return f"{name:<18} median {statistics.median(seconds):5.2f} s   {min(seconds):.2f} to {max(seconds):.2f} s"


def main() -> None:
    """Measure, and print the ratio last."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    if node.access() is not None:
        sys.exit("A node is up, and measuring a start needs it down: run `paddock node down` first.")
    build_all(print)
    times: dict[str, list[float]] = {"plain script": [], "paddock node up": []}
    for number in range(rounds):
        for name, way in (("plain script", plain), ("paddock node up", supervised)):
            times[name].append(once(way))
            print(f"round {number + 1}: {name} {times[name][-1]:.2f} s", flush=True)
    for name, seconds in times.items():
        print(summary(name, seconds))
    print(f"memory of all parts: {memory() / 1e6:.0f} MB (proportional set size, idle)")
    # of each round's own pair: what else the machine does changes slowly, and so hits both of a pair alike
    ratios = [ours / theirs for ours, theirs in zip(times["paddock node up"], times["plain script"], strict=True)]
    print(f"ratios of the rounds: {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}")
    print(f"ratio: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
