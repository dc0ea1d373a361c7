"""``-n auto`` under ``--paddock``: asked by xdist for a number of workers before anything is begun.

It must not decide: what is free is known to the engine, and what follows to ``scheduling.sizing``. A hook of the user's
own is asked before, and xdist's variable holds as ever.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pytest

    from paddock.scheduling.history import History
    from paddock.scheduling.sizing import Advice
    from paddock.settings.resolution import Settings

PLUGIN = "paddock-auto"
LARGEST = 4 << 20
"""Bytes of a history up to which it is read before the first namespace is asked for: more has tests for everybody."""
VARIABLE = "PYTEST_XDIST_AUTO_NUM_WORKERS"


class AutoWorkers:
    """Registered behind xdist and before any conftest, which is the order in which they are asked, backwards."""

    def __init__(self) -> None:
        self._advice: Advice | None = None
        self._complaint = ""

    def pytest_xdist_auto_num_workers(self, config: pytest.Config) -> int | None:
        """Return how many workers the run does well to have; ``None`` leaves it to xdist.

        Raises:
            pytest.UsageError: something was given that cannot be meant.
        """
        if os.environ.get(VARIABLE):
            return None
        try:
            self._advice = advice(config)
        except InfrastructureError as error:
            self._complaint = f"-n auto: as many workers as this machine has processors, since {_inner(str(error))}"
            return None
        return self._advice.count

    def line(self, workers: int) -> str:
        """Return why the run has this number of workers; nothing if it was not asked here."""
        return self._advice.sentence(workers) if self._advice else self._complaint


def advice(config: pytest.Config) -> Advice:
    """Return how many workers a run does well to have.

    Raises:
        pytest.UsageError: something was given that cannot be meant.
        InfrastructureError: nobody could be asked what is free.
    """
    from paddock.plugin import engine_choice, engine_factory, options  # noqa: PLC0415 - only where they are needed: see plugin/__init__
    from paddock.scheduling import history_file, sizing  # noqa: PLC0415 - as above

    settings = engine_choice.read(config)
    with options.told():
        room = engine_factory.room(config, settings)
    history = history_file.load(config.rootpath / settings.history).history
    return sizing.advise(room, sizing.usage(history), known_units(config, settings, history))


def known_units(config: pytest.Config, settings: Settings, history: History) -> list[float]:
    """Return the expected seconds of each unit of this run that is known from earlier ones."""
    from paddock.scheduling import foresight  # noqa: PLC0415 - as above

    if config.option.pyargs:  # names of modules are not where they lie
        return []
    units = foresight.known_units(history, selected(config), config.option.dist, last_failed(config))
    if settings.shard is None:
        return units
    number, of = settings.shard
    return sorted(units)[number - 1 :: of]  # about what it will be: which ones they are is known only once collected


def earlier(config: pytest.Config, settings: Settings) -> History:
    """Return what earlier runs have measured, if it is read soon enough for who begins."""
    from paddock.scheduling import history, history_file  # noqa: PLC0415 - as above

    path = config.rootpath / settings.history
    if not path.is_file() or path.stat().st_size > LARGEST:
        return history.History()
    return history_file.load(path).history


def seconds_with_hardware(config: pytest.Config, settings: Settings, known: History, workers: int) -> float | None:
    """Return for how long one of so many workers will hold this run's hardware, if earlier runs know.

    It runs what needs it, then its share of the rest.
    """
    from paddock.scheduling import foresight  # noqa: PLC0415 - as above

    kinds = [one.kind for one in settings.hardware]
    if config.option.pyargs or not kinds:
        return None
    needy = foresight.seconds_of_needy(known, selected(config), kinds, last_failed(config))
    if needy is None:
        return None
    _, shards = settings.shard or (1, 1)
    return max(needy / shards, sum(known_units(config, settings, known)) / max(1, workers))


def selected(config: pytest.Config) -> Iterator[str]:
    """Yield the paths and node ids that pytest was asked for, from rootdir on; a dot for all."""
    for argument in config.args or ["."]:
        path, *inside = argument.split("::", 1)
        place = (config.invocation_params.dir / path).resolve()
        if not place.is_relative_to(config.rootpath):
            continue
        relative = place.relative_to(config.rootpath)
        yield "::".join([relative.as_posix() if relative != Path() else ".", *inside])


def last_failed(config: pytest.Config) -> Collection[str] | None:
    """Return the tests that --lf will leave; ``None`` where it leaves all, or none of this is known."""
    if not getattr(config.option, "lf", False):  # unknown without pytest's cache
        return None
    kept = config.rootpath / str(config.getini("cache_dir")) / "v" / "cache" / "lastfailed"
    try:
        failed = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return failed if failed and all("::" in name for name in failed) else None


def _inner(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
