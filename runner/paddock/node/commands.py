"""``paddock node``: options to calls, results to text and exit codes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from paddock.errors import PaddockError, UsageError
from paddock.node import privilege
from paddock.node.handing import hand_over
from paddock.node.places import STATE
from paddock.node.pruning import KEPT_DAYS
from paddock.node.reaching import access
from paddock.node.recipes import NEWEST, OF_VERSION, OLDEST
from paddock.node.supply import MIRROR_VARIABLE, MODULES, RELEASE, SOURCE_VARIABLE, supply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.node.reaching import NodeAccess
    from paddock.node.statuses import ComponentStatus, NodeStatus
    from paddock.node.upgrading import Outlook

_NOT_UP = 3  # as `systemctl status` of a service that does not run
_MINUTE, _HOUR = 60, 3600


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``node`` and its commands; each sets ``handler``: arguments in, exit code out."""
    parser = subparsers.add_parser("node", help="the Kubernetes node on this machine", description=__doc__)
    add_commands(parser)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``node`` to a parser."""
    commands = parser.add_subparsers(dest="node_command", required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="start the node, or upgrade it; builds it the first time"))
    commands.add_parser("down", help="remove the node and everything it made").set_defaults(handler=_down)
    status = commands.add_parser("status", help="show the node's components")
    status.add_argument("--json", action="store_true", help="for programs; sizes in bytes, times in seconds")
    status.set_defaults(handler=_status)
    _add_prune(commands.add_parser("prune", help="show the disk use of the cache, and remove what is old"))
    logs = commands.add_parser("logs", help="show a component's log")
    logs.add_argument(
        "component", nargs="?", help="its name as `status` shows it, or `supervisor`; default: list the logs"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing what is added")
    logs.set_defaults(handler=_logs)
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig").set_defaults(handler=_kubeconfig)
    _add_tool(commands, "kubectl", "run kubectl on the node", "`get pods -A`")
    _add_tool(commands, "helm", "run Helm on the node; it is built the first time", "`list -A`")


def _add_tool(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_line: str, example: str
) -> None:
    parser = commands.add_parser(name, help=help_line, prefix_chars="\0")  # its options are its own, even --help
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=f"what {name} is to do, such as {example}")
    parser.set_defaults(handler=lambda arguments: _become(name, arguments.arguments))


def _add_up(up: argparse.ArgumentParser) -> None:
    sources = (
        f"where programs come from that are not there yet: built from {MODULES}, or official {RELEASE} archives where "
        f"there are some (default: {SOURCE_VARIABLE}, else as the node has it, else {MODULES})"
    )
    up.add_argument("--source", metavar="SOURCE", help=sources)
    mirror = f"server that has the release archives, by host and path of their URLs (default: {MIRROR_VARIABLE})"
    up.add_argument("--mirror", metavar="URL", help=mirror)
    versions = f"minor version; {OLDEST} is the oldest that Paddock runs on (default: as the node is, else {NEWEST})"
    up.add_argument("--kubernetes", choices=sorted(OF_VERSION), help=versions)
    up.set_defaults(handler=_up)


def _add_prune(prune: argparse.ArgumentParser) -> None:
    prune.add_argument("--dry-run", action="store_true", help="remove nothing")
    prune.add_argument("--images", action="store_true", help="remove all images too; only while the node is down")
    help_line = "builds that were used within so many days stay (default: %(default)g)"
    prune.add_argument("--days", type=_days, default=KEPT_DAYS, metavar="N", help=help_line)
    prune.set_defaults(handler=_prune)


def _days(text: str) -> float:
    with suppress(ValueError):
        if 0 <= (days := float(text)) < float("inf"):
            return days
    raise argparse.ArgumentTypeError(f"{text!r} is no number of days; expected 0 or more")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m paddock.node`` and return its exit code."""
    parser = argparse.ArgumentParser(prog="paddock node", description=__doc__)
    add_commands(parser)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.handler(chosen))
    except PaddockError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's product is what it prints
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed at exit
        return 0  # the reader, such as `head`, has seen enough


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's product is what it prints


def _hint(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - beside the product, so that `$(…)` takes the product alone


def _up(arguments: argparse.Namespace) -> int:
    from paddock.node import lifecycle  # noqa: PLC0415 - not needed by the other commands, and slow to import
    from paddock.node.statuses import read_status  # noqa: PLC0415 - as above

    started = time.monotonic()
    chosen = supply(arguments.source, arguments.mirror, arguments.kubernetes)
    before = read_status().supervisor
    found = lifecycle.up(report=_hint, supply=chosen, upgrade=True)
    unchanged = before is not None and before == read_status().supervisor
    _say("node already up" if unchanged else f"node up in {time.monotonic() - started:.1f} s")
    _hint(f"export KUBECONFIG={hand_over(found.kubeconfig)}")
    return 0


def _down(_arguments: argparse.Namespace) -> int:
    from paddock.node import lifecycle  # noqa: PLC0415 - as for _up

    there = STATE.exists()
    lifecycle.down(report=_hint)
    _say("node removed" if there else "no node to remove")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from paddock.node.statuses import read_status  # noqa: PLC0415 - as for _up

    privilege.require_readable(STATE)
    found = read_status()
    outlook = _outlook(found)
    _say(as_json(found, outlook) if arguments.json else table(found, outlook))
    return 0 if found.state == "up" else _NOT_UP


def _outlook(status: NodeStatus) -> Outlook | None:
    """Return what the node is made of and what `up` would do about it; nothing without a node that lives."""
    if status.supervisor is None and not any(each.process for each in status.components):
        return None
    from paddock.node.upgrading import outlook  # noqa: PLC0415 - as for _up

    return outlook(supply())


def as_json(status: NodeStatus, outlook: Outlook | None = None) -> str:
    """Return a node's state for programs: sizes in bytes, times in seconds, no process as ``null``."""
    components = [
        {
            "name": each.name,
            "state": each.state,
            "pid": each.process.pid if each.process else None,
            "restarts": each.restarts,
            "uptime": round(each.uptime, 1),
            "memory": each.memory,
        }
        for each in status.components
    ]
    made_of = {"kubernetes": outlook.kubernetes, "up": outlook.course, "why": outlook.why} if outlook else {}
    return json.dumps({"state": status.state, **made_of, "components": components}, indent=1)


def _prune(arguments: argparse.Namespace) -> int:
    from paddock.node import pruning  # noqa: PLC0415 - as for _up

    privilege.require_readable(STATE)
    found = pruning.entries(days=arguments.days, images=arguments.images)
    if not arguments.dry_run:
        pruning.remove(found)
    verb = "would remove" if arguments.dry_run else "removed"
    for entry in found:
        why = f" ({entry.needed})" if entry.needed else f" (used {_age(entry.idle)} ago)"
        _say(f"{'kept' if entry.needed else verb} {_megabytes(entry.size)} {entry.path}{why}")
    _say(f"{verb} {_megabytes(sum(entry.size for entry in found if not entry.needed))} in all")
    return 0


def table(status: NodeStatus, outlook: Outlook | None = None) -> str:
    """Return a node's state as aligned columns below one line, or two where `up` would change the node."""
    total = sum(each.memory for each in status.components)
    facts = [f"Kubernetes {outlook.kubernetes}"] if outlook and outlook.kubernetes else []
    facts += [f"{_megabytes(total)} in all"] if status.components else []
    lines = [", ".join([f"node {status.state}", *facts]), *([outlook.sentence] if outlook and outlook.sentence else [])]
    if status.components:
        rows = [("COMPONENT", "STATE", "PID", "RESTARTS", "AGE", "MEMORY"), *map(_row, status.components)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["   ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def _row(component: ComponentStatus) -> tuple[str, ...]:
    pid = str(component.process.pid) if component.process else "-"
    age = _age(component.uptime) if component.process else "-"
    return (component.name, component.state, pid, str(component.restarts), age, _megabytes(component.memory))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _age(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f}s"
    return f"{seconds / _MINUTE:.0f}m" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.0f}h"


def _logs(arguments: argparse.Namespace) -> int:
    privilege.require_readable(STATE)
    folder = STATE / "logs"
    known = sorted(path.stem for path in folder.glob("*.log"))
    if arguments.component is None:
        _say("\n".join(str(folder / f"{name}.log") for name in known) or "no node, no logs")
        return 0
    if arguments.component not in known:
        raise UsageError(
            f"There is no log of {arguments.component!r}; expected one of {', '.join(known) or 'none: no node'}."
        )
    command = ["tail", "-n", "+1", *(["-F"] if arguments.follow else []), str(folder / f"{arguments.component}.log")]
    with suppress(KeyboardInterrupt):  # the way to end following
        return subprocess.call(command)
    return 0


def _kubeconfig(_arguments: argparse.Namespace) -> int:
    kubeconfig = hand_over(_reachable().kubeconfig)
    _say(str(kubeconfig))
    _hint(f"export KUBECONFIG={kubeconfig}")
    return 0


def _become(name: str, arguments: Sequence[str]) -> NoReturn:
    """Become a tool: its output, its exit code, and Ctrl-C are then its own."""
    from paddock.node.building import tool  # noqa: PLC0415 - as for _up

    kubeconfig = str(_reachable().kubeconfig)
    program = tool(name, report=_hint)
    os.execve(program, [name, *arguments], {**os.environ, "KUBECONFIG": kubeconfig})  # noqa: S606 - no shell is meant


def _reachable() -> NodeAccess:
    privilege.require_readable(STATE)
    found = access()
    if found is None:
        raise UsageError("The node is not up; start it with `paddock node up`.")
    return found
