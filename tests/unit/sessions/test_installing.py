"""When a session installs again, and when it need not."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.sessions.installing import fingerprint, install_when_changed

if TYPE_CHECKING:
    from pathlib import Path

    import nox


class FakeSession:
    """Records installs; ``virtualenv.location`` is all that the stamp needs."""

    def __init__(self, folder: Path) -> None:
        self.location = str(folder)
        self.virtualenv = self
        self.installed: list[tuple[str, ...]] = []
        self.fault: Exception | None = None

    def install(self, *arguments: str) -> None:
        self.installed.append(arguments)
        if self.fault:
            raise self.fault


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]", encoding="utf-8")
    (folder / "module.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def session(tmp_path: Path) -> FakeSession:
    return FakeSession(tmp_path)


def install(session: FakeSession, *arguments: str) -> None:
    install_when_changed(cast("nox.Session", cast("Any", session)), *arguments)


def test_the_same_again_is_not_installed_again(session: FakeSession, project: Path) -> None:
    """A second run starts its tests at once."""
    install(session, "-e", ".")
    (project / "module.py").write_text("changed = True", encoding="utf-8")
    install(session, "-e", ".")
    assert session.installed == [("-e", ".")]


def test_other_arguments_are_installed(session: FakeSession) -> None:
    """The environment holds what the session asks for now, not what it asked for last."""
    install(session, "pytest")
    install(session, "pytest", "nox")
    assert len(session.installed) == 2


def test_nothing_is_installed_where_nox_was_told_to_make_no_environment(session: FakeSession) -> None:
    """``nox --no-venv`` runs in what the user has prepared."""
    del session.location
    install(session, "pytest")
    assert session.installed == []


def test_an_install_that_failed_is_done_again(session: FakeSession) -> None:
    """Half an environment is never taken for a whole one."""
    install(session, "pytest")
    session.fault = KeyboardInterrupt  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        install(session, "nox")
    session.fault = None
    install(session, "pytest")
    assert session.installed == [("pytest",), ("nox",), ("pytest",)]


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        pytest.param(("-e", "."), "pyproject.toml", id="an editable project's dependencies"),
        pytest.param((".",), "module.py", id="a project's sources"),
        pytest.param((".[test]",), "module.py", id="a project with extras"),
        pytest.param(("-r", "requirements.txt"), "requirements.txt", id="requirements"),
        pytest.param(("-r", "requirements.txt"), "more.txt", id="requirements of requirements"),
        pytest.param(("-c", "more.txt"), "more.txt", id="constraints"),
        pytest.param(("./some.whl",), "some.whl", id="a wheel"),
    ],
)
def test_a_changed_input_changes_the_fingerprint(project: Path, arguments: tuple[str, ...], changed: str) -> None:
    """Whatever pip would read counts by its content."""
    (project / "requirements.txt").write_text("-r more.txt  # the rest\n", encoding="utf-8")
    (project / "more.txt").write_text("pytest", encoding="utf-8")
    (project / "some.whl").write_text("zip", encoding="utf-8")
    before = fingerprint(arguments, project)
    assert fingerprint(arguments, project) == before
    (project / changed).write_text("# changed", encoding="utf-8")
    assert fingerprint(arguments, project) != before


def test_files_that_git_ignores_do_not_count(project: Path) -> None:
    """Caches change with every run and are in no wheel."""
    subprocess.run(["git", "init", "-q", "."], check=True)
    (project / ".gitignore").write_text("*.log", encoding="utf-8")
    before = fingerprint(["."], project)
    (project / "run.log").write_text("noise", encoding="utf-8")
    assert fingerprint(["."], project) == before


def test_a_machine_without_git_is_enough(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare machine that got its clone elsewhere installs and installs again like any other."""
    monkeypatch.setenv("PATH", str(project))
    before = fingerprint(["."], project)
    (project / "module.py").write_text("changed = True", encoding="utf-8")
    assert fingerprint(["."], project) != before


def test_a_distribution_is_not_taken_for_a_folder_of_its_name(project: Path) -> None:
    """`docs` the distribution and `docs` the folder are told apart as pip does."""
    (project / "docs").mkdir()
    before = fingerprint(["docs"], project)
    (project / "docs" / "page.md").write_text("new", encoding="utf-8")
    assert fingerprint(["docs"], project) == before
