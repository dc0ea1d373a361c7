"""How ``paddock doctor`` puts what it found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from paddock.cli import doctor, main
from paddock.cli.diagnosis.findings import FAIL, OK, WARN, Finding, Surroundings, examine
from paddock.errors import ClusterUnreachable, NodeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[Surroundings], Finding | None]


def raising(_here: Surroundings) -> Finding:
    raise NodeError("The node needs overlayfs, and this kernel has none. Load it: `modprobe overlay`.")


CHECKS: dict[str, Check] = {
    "python": lambda _here: Finding(OK, "Python 3.11.7"),
    "overlayfs": raising,
    "images": lambda _here: Finding(WARN, "Not made yet: worker.", "The next run does."),
    "disk": raising,
    "ports": lambda _here: None,
}


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", CHECKS)


def test_each_check_has_a_line_and_each_fault_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """What does not apply, or was told already, is left out; a failure is the exit code of a run that would fail."""
    assert main.main(["doctor"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "ok     python      Python 3.11.7",
        "fail   overlayfs   The node needs overlayfs, and this kernel has none.",
        "                   -> Load it: `modprobe overlay`.",
        "warn   images      Not made yet: worker.",
        "                   -> The next run does.",
        "checks: 1 ok, 1 warn, 1 fail",
    ]


def test_a_warning_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Only chosen checks are run; JSON holds the same."""
    assert main.main(["doctor", "images", "python", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checks"] == [
        {"check": "python", "status": "ok", "message": "Python 3.11.7", "remedy": ""},
        {"check": "images", "status": "warn", "message": "Not made yet: worker.", "remedy": "The next run does."},
    ]


def test_an_unknown_check_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 4."""
    assert main.main(["doctor", "pyton"]) == UsageError.exit_code
    assert "There is no check 'pyton'; expected some of: python, overlayfs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("It failed.", Finding(FAIL, "It failed.")),
        ("It failed. It really did. Try again.", Finding(FAIL, "It failed. It really did.", "Try again.")),
    ],
)
def test_the_last_sentence_of_an_error_is_its_remedy(text: str, finding: Finding) -> None:
    """Every message of ours ends in what to do; one sentence alone is the message."""

    def check(_here: Surroundings) -> Finding:
        raise ClusterUnreachable(text)

    assert examine(check, None) == finding  # type: ignore[arg-type] # the check looks at nothing
