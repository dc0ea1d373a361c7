"""The order of a session that runs tests: install, pytest, and the reaping that nothing can skip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest
from nox.command import CommandFailed

from paddock.sessions import definitions, running
from paddock.sessions.configuration import SessionConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    import nox


class SessionEnded(Exception):  # noqa: N818 - what nox's own exception of session.error means
    """Stands for nox's way to end a session with a sentence."""


class FakeSession:
    """A session whose commands end as the test says."""

    def __init__(
        self, *posargs: str, pytest_ends: BaseException | None = None, reap_ends: Exception | None = None
    ) -> None:
        self.posargs = posargs
        self.endings = {"pytest": pytest_ends, "paddock": reap_ends}
        self.commands: list[tuple[str, ...]] = []
        self.environments: list[Mapping[str, str]] = []
        self.folder = ""

    def chdir(self, folder: str) -> None:
        self.folder = folder

    def run(self, *command: str, env: Mapping[str, str] | None = None, **_options: object) -> None:
        self.commands.append(command)
        self.environments.append(env or {})
        ending = self.endings[command[2]]
        if ending:
            raise ending

    def error(self, sentence: str) -> NoReturn:
        raise SessionEnded(sentence)


@pytest.fixture(autouse=True)
def no_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "install_when_changed", lambda *_: None)
    monkeypatch.delenv(running.RUN_ID_VARIABLE, raising=False)


def run(session: FakeSession, *, workers: int = 4, **configured: Any) -> None:
    configuration = SessionConfiguration(**configured)
    running.run_tests(cast("nox.Session", cast("Any", session)), configuration, workers=workers)


def test_pytest_runs_with_the_projects_arguments_and_then_the_users() -> None:
    """What is typed behind ``--`` comes last, so that it wins."""
    session = FakeSession("-n", "8", "-x")
    run(session, arguments=("tests",), folder="examples")
    assert session.commands[0] == ("python", "-m", "pytest", "--paddock", "-n", "4", "tests", "-n", "8", "-x")
    assert session.folder == "examples"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ((), ("--paddock-hardware=all",)),
        (("--paddock-hardware=coral",), ()),
        (("-k", "x"), ("--paddock-hardware=all",)),
        (("--paddock-hardware-workers=1",), ("--paddock-hardware=all",)),
    ],
)
def test_the_hardware_session_runs_marked_tests_with_all_that_is_configured(
    typed: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """Unless it is told which hardware."""
    session = FakeSession(*typed)
    definition = definitions.DEFINITIONS["hardware"]
    definition.run(cast("nox.Session", cast("Any", session)), SessionConfiguration(workers=2))
    assert session.commands[0] == ("python", "-m", "paddock", "devices")
    assert session.commands[1][4:] == ("-n", "2", "-m", "hardware", *asked, *typed)


def test_the_run_is_reaped_by_the_id_pytest_was_given() -> None:
    """The same id reaches pytest and the reaper."""
    session = FakeSession()
    run(session)
    run_id = session.environments[0][running.RUN_ID_VARIABLE]
    assert session.commands[1] == ("python", "-m", "paddock", "reap", "--run", run_id, "--wait", "0", "--except-kept")


def test_a_run_id_from_outside_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI pipeline that wants to reap by itself draws the id."""
    monkeypatch.setenv(running.RUN_ID_VARIABLE, "k7x2mq")
    session = FakeSession()
    run(session)
    assert "k7x2mq" in session.commands[1]


@pytest.mark.parametrize("ending", [CommandFailed("failed", return_code=1), KeyboardInterrupt(), OSError("no fork")])
def test_whatever_ends_pytest_the_run_is_reaped(ending: BaseException) -> None:
    """Failure, Ctrl-C and surprise alike leave no namespace."""
    session = FakeSession(pytest_ends=ending)
    with pytest.raises((SessionEnded, type(ending))):
        run(session)
    assert session.commands[1][3] == "reap"


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "tests failed"), (2, "interrupted"), (3, "the infrastructure failed"), (4, "called wrongly"), (5, "no tests")],
)
def test_tests_failed_and_infrastructure_failed_are_told_apart(code: int, words: str) -> None:
    """Nox knows one failure only; the sentence says which it was."""
    with pytest.raises(SessionEnded, match=f"exit code {code}: .*{words}"):
        run(FakeSession(pytest_ends=CommandFailed("failed", return_code=code)))


def test_a_reaper_that_fails_fails_the_session_and_says_how_to_try_again() -> None:
    """Green tests do not hide namespaces that stay."""
    with pytest.raises(SessionEnded, match="try again with: paddock reap --run "):
        run(FakeSession(reap_ends=CommandFailed("failed", return_code=3)))


def test_a_checkout_installs_itself() -> None:
    """The sessions run the same Paddock as the noxfile imported."""
    requirement = running.own_requirement()
    assert requirement.endswith("/main") or requirement.startswith(("paddock", "/"))
