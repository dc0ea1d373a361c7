"""How the command ``paddock`` finds its subcommands and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import paddock
from paddock.cli import main as cli
from paddock.errors import NodeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = str(Path(paddock.__file__).parents[1])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], int | None]], None]:
    """Return a function that makes ``paddock probe`` do what the test wants."""

    def install(deed: Callable[[Any], int | None]) -> None:
        def add_parser(subparsers: Any) -> None:
            subparsers.add_parser("probe").set_defaults(handler=deed)

        monkeypatch.setattr(cli, "COMMANDS", {"probe": ("probe", "probe the command line")})
        monkeypatch.setattr(
            "paddock.cli.main.importlib.import_module", lambda _name: SimpleNamespace(add_parser=add_parser)
        )

    return install


def raising(error: BaseException) -> Callable[[Any], int]:
    def deed(_options: object) -> int:
        raise error

    return deed


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (7, 7)])
def test_a_command_says_its_own_exit_code(command: Any, returned: int | None, code: int) -> None:
    """No value means success."""
    command(lambda _options: returned)
    assert cli.main(["probe"]) == code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("There is no such thing."), 4, "paddock: There is no such thing.\n"),
        (NodeError("etcd did not start."), 3, "paddock: etcd did not start.\n"),
        (KeyboardInterrupt(), 2, "paddock: interrupted\n"),
    ],
)
def test_what_is_raised_on_purpose_is_one_line(
    command: Any,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    """Users see a sentence and a stable exit code, never a traceback."""
    command(raising(error))
    assert cli.main(["probe"]) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("arguments", [["prob"], [], ["--verzion"], ["probe", "more"]])
def test_a_mistyped_command_line_is_one_line_and_exit_code_4(
    command: Any,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """Usage errors share one exit code in all of Paddock."""
    command(lambda _options: 0)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 4
    assert capsys.readouterr().err.count("\n") == 1


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)


def test_the_module_is_the_command() -> None:
    """``python -m paddock`` works where the script is not on the path."""
    assert run("-m", "paddock", "--version").stdout == f"paddock {paddock.__version__}\n"


def test_help_names_every_command_and_loads_none() -> None:
    """The list comes at once, and from the table."""
    code = "import sys; from paddock.cli.main import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
    output = run("-c", code).stdout
    assert all(line in output for _, line in cli.COMMANDS.values())
    assert "paddock.node" not in output.split()


def test_a_reader_that_goes_away_is_no_traceback(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``paddock node logs | head`` ends quietly."""
    monkeypatch.setattr(cli, "_reader_went_away", lambda: 1)
    command(raising(BrokenPipeError()))
    assert cli.main(["probe"]) == 1


def test_the_command_starts_fast() -> None:
    """Only light modules are loaded before a subcommand runs: the start is felt each time."""
    loaded = run("-c", "import sys, paddock.cli.main; print(*sys.modules)").stdout.split()
    assert set(loaded).isdisjoint({"kubernetes", "yaml", "cryptography", "pytest", "rich", "psycopg"})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reap", "--run", "BAD!"], "argument --run: 'BAD!' is no run id; expected 1 to 20 lower-case letters, digits"),
        (
            ["reap", "--run", "a", "--wait", "soon"],
            "argument --wait: 'soon' is no number of seconds; expected",
        ),
        (["reap", "--run", "a", "--wait", "-1"], "argument --wait: '-1' is no number of seconds; expected 0 or more"),
        (["node", "prune", "--days", "x"], "argument --days: 'x' is no number of days; expected 0 or more"),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_line_and_exit_code_4(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named with what was expected, before anything is asked of a cluster."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 4
    assert sentence in capsys.readouterr().err


def test_a_file_that_nobody_would_touch_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """A probe that looked at it would find nothing and never say why."""
    assert cli.main(["reap", "--alive=looked"]) == 4
    assert "--alive=looked is a file to touch after each look of --watch" in capsys.readouterr().err
