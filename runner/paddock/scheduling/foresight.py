"""What an earlier run's tests say of one that is to come, before anything is collected. Pure.

It must not know pytest's session; names are node ids, with paths from rootdir on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.scheduling.units import KEYS, Case, form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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


def is_in(name: str, place: str) -> bool:
    """Return whether a test belongs to a folder, a file, a class or a function with any parameters."""
    return place in {".", "", name} or name.startswith((f"{place}/", f"{place}::", f"{place}["))
