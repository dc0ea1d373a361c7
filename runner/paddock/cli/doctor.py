"""``paddock doctor``: named checks of what a run needs, each with what was found and what to do about it.

Owns the list of checks, the table and the exit code: 3 when a check fails, 0 otherwise. It must not change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.cli import reaching, tables
from paddock.cli.diagnosis import cluster, machine, software
from paddock.cli.diagnosis.findings import FAIL, OK, WARN, Finding, Surroundings, examine
from paddock.columns import aligned
from paddock.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

CHECKS: Mapping[str, Callable[[Surroundings], Finding | None]] = {
    "python": software.python,
    "packages": software.packages,
    "plugins": software.plugins,
    "options": software.options,
    "privilege": machine.privilege,
    "cgroups": machine.preflight("cgroups", "writable"),
    "overlayfs": machine.preflight("overlayfs", "known to the kernel"),
    "kubelets": machine.preflight("kubelets", "no other one runs here"),
    "disk": machine.preflight("disk", "room for the node and its images"),
    "memory": machine.memory,
    "programs": machine.programs,
    "ports": machine.ports,
    "cluster": cluster.answer,
    "version": cluster.version,
    "clock": cluster.clock,
    "rights": cluster.rights,
    "images": cluster.images,
    "leftovers": cluster.leftovers,
}
"""Name -> check, in the order of their looking: what stands further up explains what fails further down."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("doctor", help="check what a run needs", description=__doc__)
    parser.add_argument("check", nargs="*", metavar="CHECK", help=f"only these, out of: {', '.join(CHECKS)}")
    reaching.add_arguments(parser)
    parser.set_defaults(handler=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Run the checks and return the exit code."""
    here = Surroundings(arguments)
    found: dict[str, Finding] = {}
    for name in chosen(arguments.check):
        finding = examine(CHECKS[name], here)
        if finding is not None and finding not in found.values():  # one fault is told once, by the first that meets it
            found[name] = finding
    if arguments.json:
        listed = [{"check": name, **vars(finding)} for name, finding in found.items()]
        tables.say(tables.as_json({"checks": listed}))
    else:
        tables.say("\n".join(table(found)))
    return exit_code(found)


def chosen(wanted: list[str]) -> list[str]:
    """Return the names of the checks that are wanted, in their order.

    Raises:
        UsageError: there is no such check.
    """
    for name in wanted:
        if name not in CHECKS:
            raise UsageError(f"There is no check {name!r}; expected some of: {', '.join(CHECKS)}.")
    return [name for name in CHECKS if name in wanted or not wanted]


def table(found: Mapping[str, Finding]) -> list[str]:
    """Return a line for each check, its remedy below it, and a last line that counts."""
    heads = aligned([(finding.status, name) for name, finding in found.items()])
    width = max(map(len, heads), default=0)
    lines: list[str] = []
    for head, finding in zip(heads, found.values(), strict=True):
        lines.append(f"{head.ljust(width)}   {finding.message}")
        if finding.remedy:
            lines.append(f"{' ' * width}   -> {finding.remedy}")
    return [*lines, _count(found)]


def _count(found: Mapping[str, Finding]) -> str:
    counts = (f"{sum(one.status == status for one in found.values())} {status}" for status in (OK, WARN, FAIL))
    return f"checks: {', '.join(counts)}"


def exit_code(found: Mapping[str, Finding]) -> int:
    """Return 3 when something failed: a run would end with that code as well."""
    return InfrastructureError.exit_code if any(one.status == FAIL for one in found.values()) else 0
