"""Looks whether the namespaces of a run are gone, in a process of its own behind the run, and completes its account.

A run gives the prompt back when deletion was asked for; namespaces take seconds to vanish. This process has a session
of its own, so that no Ctrl-C and no closed terminal reaches it, and a time limit of its own, so that it never stays.
Of what is being deleted it ends the pods; it deletes no namespace, unless it is told to ``--delete`` what a run that
was left in a hurry has not asked for. What it has seen is in the line of JSON that it prints, and in the account. It
must not know pytest, nor where it is started from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import run_accounts
from paddock.errors import PaddockError
from paddock.report_folder import ReportFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.engines.request import RunRequest

DELETE = "--delete"
"""May be added to the command: end whatever of the run is still there, by its record."""


def arguments(request: RunRequest) -> list[str]:
    """Return the command that looks after a run; it may be followed by ``DELETE`` and by ``account(folder)``."""
    # -P: what the user's folder holds is not to be imported in place of what this program means.
    program = [sys.executable, "-P", "-m", "paddock.engines.verification"]
    kubeconfig = request.kubeconfig.absolute() if request.kubeconfig else None
    where = {"--context": request.context, "--kubeconfig": kubeconfig}
    report = request.report.folder / request.run_id if request.report else None
    given = [f"{name}={value}" for name, value in {**where, "--evidence": report}.items() if value]
    return [*program, f"--run={request.run_id}", f"--wait={request.limits.release}", *given]


def account(folder: Path) -> str:
    """Return the argument that has the account in ``folder`` completed."""
    return f"--account={folder}"


def main(given: Sequence[str] | None = None) -> int:
    """Look, print what is left as JSON, and complete the account; 3 if nobody could look."""
    options = _parser().parse_args(given)
    left: Mapping[str, str] = {}
    reason = ""
    try:
        left = _look(options)
    except PaddockError as error:
        reason = str(error)
    sys.stdout.write(json.dumps({"left": dict(left), "reason": reason}) + "\n")
    sys.stdout.flush()
    if options.account:
        _complete(options, left, reason)
    return PaddockError.exit_code if reason else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="paddock.engines.verification", description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--wait", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--context")
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--account", type=Path, metavar="FOLDER")
    parser.add_argument("--evidence", type=Path, metavar="FOLDER")
    parser.add_argument(DELETE, action="store_true")
    return parser


def _look(options: argparse.Namespace) -> Mapping[str, str]:
    from paddock.engines import leftovers  # noqa: PLC0415 - as above
    from paddock.engines.preparation import reachable_cluster  # noqa: PLC0415 - loads the cluster's client
    from paddock.namespaces import release  # noqa: PLC0415 - as above

    cluster = reachable_cluster(options.context, options.kubeconfig)
    if cluster is None:
        return {}  # the embedded node is down, and everything on it is gone
    if options.delete:
        left = release.reap(cluster, options.run, seconds=options.wait).left
    else:
        release.hasten(cluster, options.run)
        left = release.await_gone(cluster, options.run, options.wait)
    # Who has removed the project meanwhile, such as a test, has done with it.
    if left and options.evidence and options.evidence.parent.parent.is_dir():
        leftovers.keep(cluster, options.run, left, ReportFolder(options.evidence.parent, options.evidence.name))
    return left


def _complete(options: argparse.Namespace, left: Mapping[str, str], reason: str) -> None:
    """Write what was seen; an account that is not there any more is not made again."""
    folder: Path = options.account
    before = run_accounts.read(folder)
    if before is None:
        return
    refused = {} if options.delete else before["left"]  # which nobody has asked for again
    run_accounts.write(ReportFolder(folder.parent, folder.name), run_accounts.seen(before, {**refused, **left}, reason))


if __name__ == "__main__":
    raise SystemExit(main())
