"""What a shell is proposed when somebody presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import paddock
from paddock.cli import completion, main, reaching
from paddock.errors import ClusterUnreachable
from paddock.namespaces import inventory
from tests.unit.cli.inspected import run, worker

SOURCES = str(Path(paddock.__file__).parents[1])


def proposed(line: str, answers: Path) -> list[str]:
    """Return what the command proposes for a line, asked as bash asks."""
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "PYTHONPATH": SOURCES,
    }
    command = [sys.executable, "-m", "paddock"]
    subprocess.run(command, env={**os.environ, **asked}, capture_output=True, check=False)
    return [word.strip() for word in answers.read_text(encoding="utf-8").split("\n")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("paddock do", ["doctor", "down"]),
        ("paddock doctor --js", ["--json"]),
        ("paddock doctor cgr", ["cgroups"]),
        ("paddock node sta", ["status"]),
        ("paddock completion ", ["bash", "zsh", "fish"]),
        ("paddock forward gw0 ", ["broker", "database"]),
    ],
)
def test_commands_options_and_names_are_proposed(line: str, words: list[str], tmp_path: Path) -> None:
    """Of the command on the line only: the others are not even imported."""
    assert set(words) <= set(proposed(line, tmp_path / "answers"))


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["do"], ["doctor", "down", ":4"]),
        (["doctor", "cgr"], ["cgroups", ":4"]),
        (["completion", ""], ["bash", "fish", "zsh", ":4"]),
    ],
)
def test_kubectl_is_answered_in_its_own_way(words: list[str], answers: list[str]) -> None:
    """A line each, and the word that no file names are wanted; nothing else may stand on stdout."""
    code = "import sys; from paddock.cli.completion import for_kubectl; sys.exit(for_kubectl())"
    command = [sys.executable, "-c", code, *words]  # a process of its own: argcomplete takes descriptors for granted
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True, text=True, check=True
    )
    *proposals, last = done.stdout.splitlines()
    assert [*sorted(one for one in proposals if not one.startswith("-")), last] == answers


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_each_shell_gets_its_code(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Made by argcomplete, for the command as it is typed."""
    assert main.main(["completion", shell]) == 0
    assert "paddock" in capsys.readouterr().out


def test_without_argcomplete_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the remedy."""
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert main.main(["completion", "bash"]) == 4
    assert capsys.readouterr().err == "paddock: Completion needs argcomplete: pip install 'paddock[completion]'.\n"


def test_runs_and_workers_are_asked_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``targets`` understands them; a worker's bare name only where it means one."""
    runs: list[Any] = [run("aaaaaa", worker("gw0", "aaaaaa"))]
    monkeypatch.setattr(reaching, "reach", lambda _arguments: object())
    monkeypatch.setattr(inventory, "read", lambda _cluster: runs)
    given = SimpleNamespace()
    assert completion.worker_names(given) == ["aaaaaa", "aaaaaa/gw0", "gw0"]
    runs.append(run("bbbbbb"))
    assert completion.worker_names(given) == ["aaaaaa", "bbbbbb", "aaaaaa/gw0"]
    assert completion.run_names(given) == ["aaaaaa", "bbbbbb"]


def test_a_cluster_out_of_reach_proposes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell has no place for a message."""

    def refuse(_arguments: object) -> None:
        raise ClusterUnreachable("no answer")

    monkeypatch.setattr(reaching, "reach", refuse)
    assert completion.run_names(SimpleNamespace()) == []


def test_as_a_plugin_of_kubectl_it_names_itself_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage line is what the user typed."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-paddock", "--help"])
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().out.startswith("usage: kubectl paddock ")
