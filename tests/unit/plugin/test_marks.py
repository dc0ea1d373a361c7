"""What marks say of a test, and how wrong ones are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from paddock.plugin.marks import DECLARED, Teller, read
from paddock.plugin.plans import needs, refusal

if TYPE_CHECKING:
    import execnet


def mark(name: str, /, *args: object, **kwargs: object) -> pytest.Mark:
    """Return a mark that need not be registered: --strict-markers would refuse most of these."""
    return pytest.Mark(name, args, kwargs, _ispytest=True)


class Item:
    """A collected test, as far as marks are concerned."""

    nodeid = "t.py::test_a"

    def __init__(self, *marks: pytest.Mark, line: int | None = 6) -> None:
        self.marks = list(marks)
        self.location = ("tests/t.py", line, "test_a")

    def iter_markers(self, name: str | None = None) -> list[pytest.Mark]:
        """Return those of one name."""
        return [one for one in self.marks if name in {None, one.name}]

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        """Return one of a name."""
        return next(iter(self.iter_markers(name)), None)


def said(*marks: pytest.Mark, line: int | None = 6) -> dict[str, str | int | bool]:
    """Return what a test's marks say."""
    return read(cast("pytest.Item", Item(*marks, line=line)))


def test_a_test_without_marks_says_nothing() -> None:
    """Nothing travels for it."""
    assert said() == {}


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([mark("serial")], {"alone": True, "names": "serial"}),
        ([mark("serial_only")], {"alone": True, "names": "serial_only"}),
        ([mark("resource_intensive")], {"weight": 1, "names": "resource_intensive"}),
        ([mark("weight", 3), mark("weight", n=5)], {"weight": 5, "names": "weight"}),
        ([mark("xdist_group", "b"), mark("xdist_group", name="a")], {"group": "a_b"}),
        ([mark("xdist_group")], {"group": "default"}),
        ([mark("hardware", "coral")], {"needs": "coral=1"}),
        ([mark("hardware", "gpu", 2), mark("hardware", kind="gpu", count=3)], {"needs": "gpu=3"}),
        ([mark("hardware", "b.com/x", count=2), mark("hardware", "a")], {"needs": "a=1 b.com/x=2"}),
        ([mark("hardware", "coral"), mark("skip")], {}),
        ([mark("slow"), mark("usefixtures", "x"), mark("net")], {"names": "net slow"}),
    ],
)
def test_what_marks_say(marks: list[pytest.Mark], expected: dict[str, object]) -> None:
    """Several of one kind make the greatest demand, or one name."""
    assert said(*marks) == expected


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        (mark("serial", 1), "serial(1) takes no arguments: write serial."),
        (mark("resource_intensive", much=True), "resource_intensive(much=True) takes no arguments"),
        *(
            (one, f"{text} is not a weight")
            for one, text in [
                (mark("weight"), "weight()"),
                (mark("weight", 0), "weight(0)"),
                (mark("weight", True), "weight(True)"),  # noqa: FBT003 - what is refused
                (mark("weight", 1.5), "weight(1.5)"),
                (mark("weight", 1, 2), "weight(1, 2)"),
                (mark("weight", m=1), "weight(m=1)"),
            ]
        ),
        *(
            (one, f"{text} names no hardware")
            for one, text in [
                (mark("hardware"), "hardware()"),
                (mark("hardware", 1), "hardware(1)"),
                (mark("hardware", ""), "hardware('')"),
                (mark("hardware", "a b"), "hardware('a b')"),
                (mark("hardware", "a", 0), "hardware('a', 0)"),
                (mark("hardware", "a", "2"), "hardware('a', '2')"),
                (mark("hardware", "a", 1, 2), "hardware('a', 1, 2)"),
                (mark("hardware", "a", kind="b"), "hardware('a', kind='b')"),
                (mark("hardware", "a", number=1), "hardware('a', number=1)"),
                (mark("hardware", count=1), "hardware(count=1)"),
            ]
        ),
    ],
)
def test_a_mark_with_wrong_arguments_is_told_with_its_place(wrong: pytest.Mark, shown: str) -> None:
    """As it was written, with the test's file and line, and the rest of the marks is heard all the same."""
    told = said(wrong, mark("xdist_group", "g"))
    assert str(told["mistake"]).startswith(f"tests/t.py:7: {shown}")
    assert told["group"] == "g"
    assert refusal(told, {}) == told["mistake"]


def test_a_test_without_a_line_is_told_by_its_file() -> None:
    """Items that are no functions may have none."""
    assert str(said(mark("serial", 1), line=None)["mistake"]).startswith("tests/t.py: serial(1)")


def test_what_is_missing_is_told() -> None:
    """All of it and nothing else, how the test can run, and how it is left out; other tests are not refused."""
    told = said(mark("hardware", "coral", count=2), mark("hardware", "gpu"))
    words = refusal(told, {})
    assert words.startswith("It needs hardware, 2 of 'coral' and 1 of 'gpu', and workers of this run hold none: add ")
    assert "add --paddock-hardware=coral=2 --paddock-hardware=gpu, with --paddock-simulate-hardware=N" in words
    assert "-m 'not hardware'" in words
    assert "needs hardware, 2 of 'coral', and workers of this run hold 1 of 'coral', 3 of 'gpu':" in refusal(
        told, {"coral": 1, "gpu": 3}
    )
    assert refusal(told, {"coral": 2, "gpu": 1}) == ""
    assert needs(told) == {("coral", 2), ("gpu", 1)}
    assert refusal(said(mark("serial")), {}) == ""


def test_marks_are_told_before_the_collection() -> None:
    """In one word, of those tests only that have something to say."""
    sent: list[object] = []
    channel = cast("execnet.Channel", type("Channel", (), {"send": lambda _self, word: sent.append(word)})())
    session = type("Session", (), {"items": [Item(), Item(mark("serial"))]})()
    Teller(channel).pytest_collection_finish(cast("pytest.Session", session))
    assert sent == [{"t.py::test_a": {"alone": True, "names": "serial"}}]


def test_every_mark_is_declared() -> None:
    """Else --strict-markers would refuse the suite where Paddock is installed."""
    assert {line.partition(":")[0].partition("(")[0] for line in DECLARED} == {
        *("serial", "serial_only", "resource_intensive", "weight", "hardware"),
    }
