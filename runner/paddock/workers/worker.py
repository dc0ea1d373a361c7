"""What a worker process is started with: program, environment, folders, links.

Owns the assembly, out of the plan and the environment of the process that runs pytest. Pure; it must start nothing.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paddock.workers.inpod import warm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.specs import RunPlan

RUN_FOLDER = "/run/paddock"
"""A memory-backed folder of the pod that its user may write."""
SOCKET = f"{RUN_FOLDER}/worker.sock"
FACTS = f"{RUN_FOLDER}/facts"
HOME = "/home/paddock"
"""Home in the worker image."""
TEMPORARY = "/tmp"  # noqa: S108 - the pod's own
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT = "import sys;exec(eval(sys.stdin.readline()))"
"""The program of an execnet worker: it reads one line, which is a program, from stdin."""
_READ_AT_START = ("PYTHON", "COV", "LANG", "LC_", "TZ", "HOME", "PATH", "TMPDIR", "VIRTUAL_ENV", "LD_")
_SECRET = re.compile("AUTH|CREDENTIAL|KEY|PASS|SECRET|TOKEN")
"""In the name of a variable that a user has travel: COVERALLS_REPO_TOKEN begins like what coverage reads."""
_CARRIED = frozenset({"LANG", "LANGUAGE", "TZ"})
_SEEDS = 4294967296  # PYTHONHASHSEED takes 0 to 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class WorkerStart:
    """The arguments of ``PodStream.start``."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Sequence[str] = ()


def worker_start(
    plan: RunPlan,
    controller: Mapping[str, str],
    *,
    time_zone: str = "",
    folders: Sequence[str] = (),
) -> WorkerStart:
    """Return how each worker of ``plan`` is started.

    ``controller`` is the environment of the process that runs pytest. ``time_zone`` is that machine's, used when the
    environment names none. ``folders`` are made before the start, such as the parents of pytest's basetemp.
    """
    env = environment(plan, controller, time_zone=time_zone)
    return WorkerStart(
        argv=boot_argv(plan),
        env=env,
        cwd=str(plan.working_directory),
        links=plan.python.links,
        folders=(env["TMPDIR"], *folders),
    )


def warm_order(plan: RunPlan, controller: Mapping[str, str], *, time_zone: str = "") -> str:
    """Return what the supervisor starts before it is asked: an interpreter with pytest imported, see ``inpod.warm``.

    It stands in the pod's manifest, so only what an interpreter reads at its start is in it, and nothing secret.
    """
    env = environment(plan, controller, time_zone=time_zone)
    early = {name: value for name, value in env.items() if name.startswith(_READ_AT_START) and not is_secret(name)}
    return json.dumps({"argv": [str(plan.python.executable), "-u", "-c", warm.PROGRAM], "env": early})


def is_secret(variable: str) -> bool:
    """Whether a variable of this name is likely to hold something that nobody else may see."""
    return bool(_SECRET.search(variable))


def boot_argv(plan: RunPlan) -> list[str]:
    """Return the command of an execnet worker: it reads one line, which is a program, from stdin."""
    return [str(plan.python.executable), "-u", "-c", BOOT]


def environment(plan: RunPlan, controller: Mapping[str, str], *, time_zone: str = "") -> dict[str, str]:
    """Return a worker's whole environment: the same for all workers of a run, or they would collect different tests.

    Language and time zone are the controller's, else a test could pass here and fail there. Of the rest nothing is
    carried over: what tests need is named in ``plan.environment``, which wins over all that is set here.
    """
    carried = {name: value for name, value in controller.items() if name in _CARRIED or name.startswith("LC_")}
    binaries = plan.python.executable.parent
    return {
        "HOME": HOME,
        "TMPDIR": TEMPORARY,
        "PATH": f"{binaries}:{_PATH}",
        "PYTHONHASHSEED": hash_seed(plan.run_id, controller.get("PYTHONHASHSEED", "")),
        "PADDOCK_FACTS": FACTS,
        **({"TZ": time_zone} if time_zone else {}),
        **({"VIRTUAL_ENV": str(binaries.parent)} if plan.python.links else {}),
        **carried,
        **plan.environment,
    }


def hash_seed(run_id: str, chosen: str = "") -> str:
    """Return the run's PYTHONHASHSEED: the one ``chosen`` if that is a number, else one drawn with the run id.

    Sets of strings then have the same order in every worker, and a run can be repeated with the seed it printed.
    """
    return chosen if chosen.isdigit() else str(zlib.crc32(run_id.encode()) % _SEEDS)
