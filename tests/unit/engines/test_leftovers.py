"""Evidence of namespaces that do not go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from paddock.engines import leftovers
from paddock.report_folder import ReportFolder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_is_left_is_looked_at_beside_what_was_kept_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason; what the namespace's Secrets still hold is masked."""
    asked: list[str] = []

    def collector(_cluster: object, namespace: str, **_: object) -> SimpleNamespace:
        asked.append(namespace)
        return SimpleNamespace(files=lambda _seen: [("describe.txt", "finalizers, and hunter2")])

    monkeypatch.setattr(leftovers, "Collector", collector)
    monkeypatch.setattr(leftovers, "secrets_of", lambda _cluster, namespace: {f"hunter2-{namespace}", "hunter2"})
    report = ReportFolder(tmp_path, "k7x2mq")
    report.write("gw1/describe.txt", "before")
    told = leftovers.keep(None, "k7x2mq", {"paddock-k7x2mq-gw1": "a finalizer", "run-k7x2mq": "forbidden"}, report)  # type: ignore[arg-type]
    assert told == [f"evidence of gw1: {tmp_path}/k7x2mq"]
    assert asked == ["paddock-k7x2mq-gw1"]
    place = tmp_path / "k7x2mq" / "gw1"
    assert (place / "describe.txt").read_text() == "before"
    assert (place / "left" / "describe.txt").read_text() == "finalizers, and ***"
    assert (place / "left" / "cause.txt").read_text() == "paddock-k7x2mq-gw1 is still there: a finalizer\n"
