"""What an earlier run's tests say of one that is to come, before anything is collected. Pure.

It must not know pytest's session; names are node ids, with paths from rootdir on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.scheduling.units import KEYS, Case, form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from paddock.scheduling.history import History


def known_units(
    history: History, selected: Iterable[str], dist: str, only: Collection[str] | None = None
) -> list[float]:
    """Return the expected seconds of each unit that is known of what is ``selected``, by paths or node ids.

    ``only`` names the tests that may run at all. Tests that no run has measured are not known.
    """
    wanted = list(selected)
    tests = [name for name in history.samples if "::" in name and not name.startswith("::")]
    cases = [
        Case(node_id=name, seconds=history.expected(name) or 0.0)
        for name in tests
        if (only is None or name in only) and any(is_in(name, place) for place in wanted)
    ]
    return [unit.seconds for unit in form(cases, dist if dist in KEYS else "load")]


HARDWARE = "::hardware"
"""Begins what stands in the history for a test that needs hardware: which kinds, and the test; its seconds again.

Of a run that has collected nothing yet nobody else knows which tests these are."""


def name_of_needy(test: str, kinds: Iterable[str]) -> str:
    """Return what stands in the history for a test that needs these kinds of hardware."""
    return f"{HARDWARE} {','.join(sorted(kinds))} {test}"


def seconds_of_needy(
    history: History, selected: Iterable[str], kinds: Collection[str], only: Collection[str] | None = None
) -> float | None:
    """Return the expected seconds of what is known to need hardware, of these kinds; ``None`` if nothing is known to.

    ``selected`` and ``only`` are as for ``known_units``.
    """
    wanted = list(selected)
    known = {
        test: history.expected(name) or 0.0
        for name, needed, test in _needy(history)
        if needed <= set(kinds) and (only is None or test in only) and any(is_in(test, place) for place in wanted)
    }
    return sum(known.values()) if known else None


def _needy(history: History) -> Iterator[tuple[str, set[str], str]]:
    for name in history.samples:
        beginning, _, rest = name.partition(" ")
        kinds, _, test = rest.partition(" ")
        if beginning == HARDWARE and test:
            yield name, set(kinds.split(",")), test


def is_in(name: str, place: str) -> bool:
    """Return whether a test belongs to a folder, a file, a class or a function with any parameters."""
    return place in {".", "", name} or name.startswith((f"{place}/", f"{place}::", f"{place}["))
