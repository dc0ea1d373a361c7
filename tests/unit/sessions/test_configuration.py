"""What a project may say in ``[tool.paddock.sessions]`` and to ``register``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.sessions.configuration import SessionConfiguration
from paddock.settings.resolution import read_pyproject, resolve

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, table: str) -> None:
    (folder / "pyproject.toml").write_text(table, encoding="utf-8")


def test_nothing_need_be_configured(tmp_path: Path) -> None:
    """A project with a pyproject is installed as it is; four workers."""
    write(tmp_path, "[project]\nname = 'a'")
    expected = SessionConfiguration(install=("-e", "."), workers=4, folder=".")
    assert SessionConfiguration.load(tmp_path, {}) == expected


def test_requirements_are_found_too(tmp_path: Path) -> None:
    """A project without packaging still has its dependencies installed."""
    (tmp_path / "requirements.txt").touch()
    assert SessionConfiguration.load(tmp_path, {}).install == ("-r", "requirements.txt")


def test_a_folder_without_anything_installs_nothing_more(tmp_path: Path) -> None:
    """Tests alone in a folder are a project as well."""
    assert SessionConfiguration.load(tmp_path, {}).install == ()


def test_the_table_wins_over_defaults(tmp_path: Path) -> None:
    """Install steps, Python versions and arguments are the project's own."""
    write(tmp_path, '[tool.paddock.sessions]\ninstall = ["x"]\npythons = ["3.12"]\narguments = ["-q"]\nworkers = 2')
    expected = SessionConfiguration(install=("x",), pythons=("3.12",), arguments=("-q",), workers=2)
    assert SessionConfiguration.load(tmp_path, {}) == expected


def test_keywords_win_over_the_table(tmp_path: Path) -> None:
    """What the noxfile says counts; what it does not say is left to the table."""
    write(tmp_path, '[tool.paddock.sessions]\nworkers = 2\ninstall = ["x"]')
    configuration = SessionConfiguration.load(tmp_path, {"workers": 3, "install": None})
    assert (configuration.workers, configuration.install) == (3, ("x",))


def test_pytest_leaves_the_sessions_table_to_the_sessions(tmp_path: Path) -> None:
    """One pyproject.toml configures both; neither takes the other's keys for mistakes."""
    write(tmp_path, "[tool.paddock]\ndeadline = 60\n[tool.paddock.sessions]\nworkers = 2")
    assert resolve({}, {}, read_pyproject(tmp_path)).deadline == 60
    assert SessionConfiguration.load(tmp_path, {}).workers == 2


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            '[tool.paddock.sessions]\nworker = 2\ninstall = ["x"]',
            "pyproject.toml:2 has the unknown key 'worker'. Did you mean 'workers'?",
        ),
        ("[tool.paddock.sessions]\nworkers = 0", "'workers' .* is 0, but it must be a whole number"),
        ("[tool.paddock.sessions]\nworkers = true", "'workers' .* is True, but it must be a whole number"),
        ('[tool.paddock.sessions]\ninstall = "x"', "'install' .* is 'x', but it must be a list of strings"),
        ("[tool.paddock.sessions]\nfolder = 1", "'folder' .* is 1, but it must be a string"),
        ("[tool.paddock]\nsessions = 1", "is 1, but it must be a table"),
        ("[tool.paddock", "cannot be read as TOML"),
    ],
)
def test_a_mistake_is_told_with_value_and_remedy(tmp_path: Path, table: str, sentence: str) -> None:
    """The sentence names the key, the value and what was expected."""
    write(tmp_path, table)
    with pytest.raises(UsageError, match=sentence):
        SessionConfiguration.load(tmp_path, {})
