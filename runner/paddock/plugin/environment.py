"""Which environment variables travel to the workers, and the hash seed they share.

Pure but for drawing the seed.
"""

from __future__ import annotations

import os
import secrets
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HASH_SEED = "PYTHONHASHSEED"
ALWAYS = ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "PYTHONPATH")
PREFIX = "PYTEST_"
OWN = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "PYTEST_XDIST_")
"""What pytest and xdist set themselves, in each process anew."""
_SEEDS = 2**32  # what CPython accepts: 0 to 4294967295


def travelling(here: Mapping[str, str], names: Iterable[str], project: str = "") -> dict[str, str]:
    """Return the workers' environment variables: pytest's, those that are named, and one hash seed for all.

    Sets are iterated in the same order in all workers then, so node ids made from sets agree. Of a ``project`` that is
    named all runs have the same seed: interpreters that were started ahead of a run have theirs already.
    """
    chosen = {name: value for name, value in here.items() if name in {*ALWAYS, *names} or _is_of_pytest(name)}
    if "PYTHONPATH" in chosen:
        chosen["PYTHONPATH"] = _absolute(chosen["PYTHONPATH"])
    return {**chosen, HASH_SEED: _hash_seed(here.get(HASH_SEED, ""), project)}


def _is_of_pytest(name: str) -> bool:
    return name.startswith(PREFIX) and not name.startswith(OWN)


def _absolute(search_path: str) -> str:
    return os.pathsep.join(os.path.abspath(entry) for entry in search_path.split(os.pathsep) if entry)  # noqa: PTH100 - a search path's entries need not be resolved


def _hash_seed(given: str, project: str) -> str:
    drawn = zlib.crc32(project.encode()) if project else secrets.randbelow(_SEEDS)
    return given if given.isdecimal() else str(drawn)
