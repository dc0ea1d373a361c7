"""What marks say of a test to the scheduler: read in the workers, where the tests are, told to the controller.

Node ids alone travel with xdist's collection. It must not know the scheduler; the words are those of ``FIELDS``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from paddock.fixtures import accelerators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import execnet

    Told = dict[str, str | int | bool]
    """``group`` (str), ``weight`` (int), ``alone`` (bool), ``needs`` (str, of kinds and counts of hardware such as
    ``coral=2``, between spaces), ``mistake`` (str, with file and line) and ``names`` (str, of marks that may say how
    long it takes, between spaces), each only if there is something."""
    Marks = Mapping[str, Sequence[pytest.Mark]]
    """Name -> the marks of one test that have it, the closest first."""

DECLARED = (
    "serial: nothing else runs meanwhile, on any worker (under --paddock)",
    "serial_only: the same as serial",
    "resource_intensive: the same as weight(1)",
    "hardware(kind, count=1): needs a worker that has so much of this kind of hardware (under --paddock)",
    "weight(n): at most --paddock-max-weight of these weights run at once, over all workers (under --paddock)",
)


class Teller:
    """Tells the controller what the marks of its tests say.

    xdist hides ``xdist_group`` in the node id, which pytest 9.2 no longer lets it change (pytest-xdist issue 1386): its
    groups fall apart without a word. Here they travel beside the node ids.
    """

    def __init__(self, channel: execnet.Channel) -> None:
        self._channel = channel

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Send what marks say just before xdist sends the node ids: one connection keeps the order."""
        self._channel.send({item.nodeid: said for item in session.items if (said := read(item))})


def read(item: pytest.Item) -> Told:
    """Return what the marks of one test say."""
    said: Told = {}
    marks = _by_name(item)
    for field, look in _READERS.items() if marks else ():
        try:
            found = look(marks)
        except ValueError as error:
            said["mistake"] = f"{_place(item)}: {error}"
            continue
        if found:
            said[field] = found
    return said


def _by_name(item: pytest.Item) -> Marks:
    """Return a test's marks; they are gone through once, up to the session: a worker reads those of all tests."""
    found: dict[str, list[pytest.Mark]] = {}
    for mark in item.iter_markers():
        found.setdefault(mark.name, []).append(mark)
    return found


def _place(item: pytest.Item) -> str:
    file, line, _ = item.location
    return file if line is None else f"{file}:{line + 1}"


def _group(marks: Marks) -> str:
    """Return the test's group as xdist names it: several marks make one name."""
    groups = marks.get("xdist_group", ())
    return "_".join(sorted({str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in groups}))


def _alone(marks: Marks) -> bool:
    return any(_without_arguments(mark) for name in ("serial", "serial_only") for mark in marks.get(name, ()))


def _without_arguments(mark: pytest.Mark) -> bool:
    if mark.args or mark.kwargs:
        raise ValueError(f"{_shown(mark)} takes no arguments: write {mark.name}.")
    return True


def _weight(marks: Marks) -> int:
    intensive = [int(_without_arguments(mark)) for mark in marks.get("resource_intensive", ())]
    return max([*intensive, *map(_weight_of, marks.get("weight", ()))], default=0)


def _weight_of(mark: pytest.Mark) -> int:
    values: list[Any] = [*mark.args, *([mark.kwargs["n"]] if set(mark.kwargs) == {"n"} else mark.kwargs)]
    if len(values) != 1 or type(values[0]) is not int or values[0] < 1:
        raise ValueError(f"{_shown(mark)} is not a weight: write weight(n) with one whole number above zero.")
    return values[0]


_KIND = re.compile(r"[\w./-]+")


def _needs(marks: Marks) -> str:
    counts = accelerators.most_of_each(map(_hardware, marks.get("hardware", ())))
    return "" if "skip" in marks else " ".join(f"{kind}={count}" for kind, count in sorted(counts.items()))


def _hardware(mark: pytest.Mark) -> tuple[str, int]:
    kind, count = accelerators.asked(mark)
    names, by_name = accelerators.ARGUMENTS, set(mark.kwargs)
    strange = len(mark.args) > len(names) or by_name - set(names) or by_name & set(names[: len(mark.args)])
    if strange or not isinstance(kind, str) or not _KIND.fullmatch(kind) or type(count) is not int or count < 1:
        raise ValueError(
            f"{_shown(mark)} names no hardware: write hardware(kind) or hardware(kind, count=n), with a name such as "
            "'coral' and a whole number above zero."
        )
    return kind, count


def _shown(mark: pytest.Mark) -> str:
    named = [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return f"{mark.name}({', '.join([*map(repr, mark.args), *named])})"


_OF_PYTEST = {"filterwarnings", "hardware", "parametrize", "skip", "skipif", "usefixtures", "xdist_group", "xfail"}


def _names(marks: Marks) -> str:
    return " ".join(sorted(marks.keys() - _OF_PYTEST))


_READERS: dict[str, Callable[[Marks], str | int | bool]] = {
    "group": _group,
    "alone": _alone,
    "weight": _weight,
    "needs": _needs,
    "names": _names,
}
