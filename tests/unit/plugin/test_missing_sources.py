"""Laws of the line about files that a test misses and that were not sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.plugin.missing_sources import MissingSources, hint
from paddock.workers.sources import SourceFile, SourceSet

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what a failure's text misses in a project that is the current folder; ``sent.py`` was sent."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "sent.py",
        "data/big.bin",
        "pkg/sent.py",
        "pkg/_version.py",
        "src/lib/gen.py",
        "pkg/fast.x86.so",
        "gen/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("nowhere")
    files = tuple(SourceFile(path=path, size=0) for path in ("pkg/sent.py", "sent.py"))
    hooks = MissingSources([SourceSet(root=tmp_path, files=files)])
    return lambda text: list(map(str, dict.fromkeys(hooks.missed(text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("E   FileNotFoundError: [Errno 2] No such file or directory: 'data/big.bin'", ["data/big.bin"]),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: b'./data/big.bin'", ["data/big.bin"]),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: '{root}/data'", ["data"]),
        ("E   OSError: {root}/data/big.bin not found.", ["data/big.bin"]),
        ("cannot open `{root}/data/big.bin` for reading", ["data/big.bin"]),
        ("E   AssertionError: {root}/data/big.bin has the wrong colour", []),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: 'sent.py'", []),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: 'pkg'", []),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: 'never/was'", []),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: '/etc/passwd'", []),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: '../{name}/data/big.bin'", ["data/big.bin"]),
        ("E   FileNotFoundError: [Errno 2] No such file or directory: 'link'", ["link"]),
        ("E   ModuleNotFoundError: No module named 'pkg._version'", ["pkg/_version.py"]),
        ("E   ImportError: cannot import name 'fast' from 'pkg' (unknown location)", ["pkg/fast.x86.so"]),
        ("E   ModuleNotFoundError: No module named 'lib.gen'", ["src/lib/gen.py"]),
        ("E   ModuleNotFoundError: No module named 'gen'", ["gen"]),
        ("E   ModuleNotFoundError: No module named 'data'", []),
        ("E   ModuleNotFoundError: No module named 'pkg.sent'", []),
        ("E   assert 1 == 2", []),
    ],
)
def test_what_a_failure_misses_is_found_here(
    text: str, expected: list[str], missed: Callable[[str], list[str]]
) -> None:
    """Files that exist here, below the root, and were not sent; nothing else, whatever the text says."""
    assert missed(text.format(root=Path.cwd(), name=Path.cwd().name)) == expected


def test_the_environment_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment inside the project is in the worker image."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "file").touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    hooks = MissingSources([SourceSet(root=tmp_path, files=())])
    assert list(hooks.missed(f"{tmp_path}/.venv/file not found")) == []


def test_the_line_names_the_option() -> None:
    """It can be copied; many files are not all listed."""
    line = hint(["a", "b", "c", "d", "e"])
    assert line.startswith("The workers were not sent a, b, c and 2 more, which this machine has")
    assert line.endswith("--paddock-include=a --paddock-include=b --paddock-include=c")


def test_failures_without_a_traceback_get_the_line_as_well(tmp_path: Path) -> None:
    """The text of a file that cannot be imported is a bare text."""
    (tmp_path / "gen.py").touch()
    report = pytest.CollectReport("test_x.py", "failed", f"{tmp_path}/gen.py not found", [])
    MissingSources([SourceSet(root=tmp_path, files=())]).pytest_collectreport(report)
    assert report.longreprtext.endswith("--paddock-include=gen.py")
