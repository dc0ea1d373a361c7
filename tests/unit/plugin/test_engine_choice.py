"""``--paddock-engine=auto``: settled once, said once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock import engines
from paddock.errors import UsageError
from paddock.plugin import engine_choice, options
from paddock.settings.resolution import resolve

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Settles the engine of a run twice, with an answer to whether a cluster can be used; returns which it is."""
    asked: list[str | None] = []

    def settle(engine: str, answer: str | UsageError, context: str | None = None) -> str:
        def without_cluster(context: str | None, _: object) -> str:
            asked.append(context)
            if isinstance(answer, UsageError):
                raise answer
            return answer

        given = replace(resolve({}, {}, {}), engine=engine, context=context)
        monkeypatch.setattr(options, "read", lambda _: given)
        monkeypatch.setattr(engines, "without_cluster", without_cluster)
        config: Any = SimpleNamespace(stash=pytest.Stash())
        asked.clear()
        names = {engine_choice.read(config).engine for _ in range(2)}
        assert len(asked) == (engine == engines.AUTO)
        return names.pop()

    return settle


def test_a_cluster_is_taken_where_one_answers(read: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    """And nobody has to wonder which engine it was; an engine that was named is not asked about."""
    assert read("auto", "") == "kubernetes"
    assert capsys.readouterr().err == "paddock: --paddock-engine=auto takes kubernetes, since a cluster answers\n"
    assert [read(name, "no") for name in ("kubernetes", "local")] == ["kubernetes", "local"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("answer", ["it is away", UsageError("it is away.")], ids=["silent", "not allowed"])
def test_without_one_tests_run_here(
    read: Callable[..., str], answer: str | UsageError, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line has the reason: no answer, or a cluster that nobody allowed."""
    assert read("auto", answer) == "local"
    said = "paddock: --paddock-engine=auto takes local, since no cluster can be used: it is away\n"
    assert capsys.readouterr().err == said


def test_a_context_that_was_named_and_cannot_be_used_is_a_mistake(read: Callable[..., str]) -> None:
    """Whoever names a cluster does not want to find out later that it was not used."""
    with pytest.raises(pytest.UsageError, match="it is away"):
        read("auto", UsageError("it is away."), context="staging")
