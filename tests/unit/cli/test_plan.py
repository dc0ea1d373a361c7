"""How ``paddock plan`` becomes pytest."""

from __future__ import annotations

import os
import sys

import pytest

from paddock.cli import main, plan


@pytest.mark.parametrize(
    ("given", "form", "rest"),
    [
        (["-n", "4", "tests"], "yaml", ["-n", "4", "tests"]),
        (["--json", "-n4"], "json", ["-n4"]),
        (["-n4", "-k", "a or b", "--json"], "json", ["-n4", "-k", "a or b"]),
    ],
)
def test_all_arguments_but_its_own_are_pytests(
    monkeypatch: pytest.MonkeyPatch, given: list[str], form: str, rest: list[str]
) -> None:
    """In pytest's own words and order; options of pytest may come first."""
    became: list[list[str]] = []

    def become(_program: str, argv: list[str]) -> None:
        became.append(argv)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr(plan, "_plugin", list)
    with pytest.raises(SystemExit):
        main.main(["plan", *given])
    assert became == [[sys.executable, "-m", "pytest", "--paddock", f"--paddock-plan={form}", *rest]]


def test_help_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Pytest's help has its own command."""
    assert main.main(["plan", "--help"]) == 0
    assert "pytest's arguments, such as -n 4 tests/" in capsys.readouterr().out
