"""The table of causes: every one has words and a remedy, and the guide names them all."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from paddock.namespaces.causes import TABLE, Kind, tell
from paddock.specs import Fate

GUIDE = Path(__file__).parents[3] / "docs/how-to/lost-workers.md"


def facts_of(kind: Kind) -> dict[str, object]:
    """Return a value for each brace of a row."""
    row = TABLE[kind]
    fields = (field for text in (row.sentence, row.remedy) for _, field, _, _ in string.Formatter().parse(text))
    return {field: f"<{field}>" for field in fields if field}


def test_every_cause_has_its_row() -> None:
    """Nothing is told that the table does not know, and no row is left over."""
    assert set(TABLE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_a_cause_is_a_sentence_and_a_remedy(kind: Kind) -> None:
    """Both begin with a capital, or with what they are given, and end with one full stop."""
    cause = tell(kind, **facts_of(kind))
    assert cause.kind == kind.value
    for text in (cause.sentence, cause.remedy):
        assert text[0].isupper() or text[0] == "<", text
        assert text.endswith((".", ">")), text
        assert ".." not in text


@pytest.mark.parametrize("kind", Kind)
def test_a_cause_without_its_facts_is_a_defect(kind: Kind) -> None:
    """What is told never has a hole: a missing fact is an error, not an empty place."""
    facts = facts_of(kind)
    for missing in facts:
        with pytest.raises(KeyError):
            tell(kind, **{name: value for name, value in facts.items() if name != missing})


@pytest.mark.parametrize("kind", Kind)
def test_the_guide_has_every_cause_with_its_fate(kind: Kind) -> None:
    """A row of the guide's table names the cause, whether its test runs again, and whether the worker is replaced."""
    said = {Fate.OWN: "no | at once", Fate.PASSING: "yes | after a pause", Fate.LASTING: "no | no"}[TABLE[kind].fate]
    rows = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{kind.value}` |")]
    assert len(rows) == 1
    assert rows[0].endswith(f"| {said} |")


def test_a_messages_own_full_stop_is_not_doubled() -> None:
    """Kubelet's messages end with one, or with one and a space."""
    told = tell(Kind.NODE_SHUTDOWN, node="", message="Pod was terminated. ")
    assert told.sentence == "Its node was shut down: Pod was terminated."
