"""Leads a run that one of pytest-xdist's own tests starts through Paddock, if that run has workers.

Loaded into every such run by ``PYTEST_PLUGINS``, and into nothing else. What xdist's tests write as ``--tx=2*popen`` is
what a user of Paddock writes as ``-n2``; other kinds of workers are left as they are, for Paddock to refuse.
xdist's tests suppose that all workers take part. Paddock begins without a worker that is two seconds late, which on a
busy machine is chance, or on the first one alone: here it waits for all.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock.scheduling import elastic, planned

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

VARIABLE = "PYTEST_PLUGINS"
PATIENCE = 60.0
"""Seconds."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Put ``--paddock`` among the options before Paddock reads them."""
    option = config.option
    if hasattr(config, "workerinput") or not has_workers(option.numprocesses, option.dist, option.distload, option.tx):
        return (yield)
    option.numprocesses = option.numprocesses or processes(option.tx)
    option.paddock = "true"
    elastic.STRAGGLERS = PATIENCE
    planned.patience = lambda units, workers: PATIENCE  # noqa: ARG005 - called by name, as the real one may be
    with kept_from_workers():
        return (yield)


def has_workers(number: object, dist: str, distload: object, specs: Sequence[str]) -> bool:
    """Return whether xdist would make workers."""
    return bool(number or (number is None and specs and (distload or dist != "no")))


def processes(specs: Sequence[str]) -> int | None:
    """Return how many plain processes ``specs`` ask for, or ``None`` where they ask for something else as well."""
    counted = [spec.rpartition("*") for spec in specs]
    plain = all(kind == "popen" for _, _, kind in counted)
    return sum(int(number or 1) for number, _, _ in counted) if plain else None


@contextmanager
def kept_from_workers() -> Iterator[None]:
    """Hide the variable that loads this module: Paddock sends it to the workers, which lack the module."""
    loads = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if loads is not None:
            os.environ[VARIABLE] = loads
