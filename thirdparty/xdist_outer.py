"""Judges pytest-xdist's own tests while every run that they start goes through Paddock.

Loaded with ``-p`` into the pytest that runs those tests. A test that ``xdist_acceptance.toml`` lists must fail, any
other must do what it does under stock xdist: a list that has become too long is as wrong as one that is too short.
"""

from __future__ import annotations

import signal
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST = Path(__file__).with_name("xdist_acceptance.toml")
OPTION = "--inner-plugins"
VARIABLE = "PYTEST_PLUGINS"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what is loaded into the inner runs."""
    parser.addoption(OPTION, default="", help="plugins of the inner runs, separated by commas")


def pytest_configure() -> None:
    """Let the inner runs hear Ctrl-C, which a shell's background jobs inherit as ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the listed tests to fail.

    Raises:
        pytest.UsageError: the list does not fit the tests; not asked where ``-k`` takes a part of them.
    """
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    wrong = misfits(config.rootpath, listed["tests"], listed["files"], {item.nodeid for item in items})
    if wrong and not config.option.keyword:
        raise pytest.UsageError(f"{LIST.name} does not fit the tests here: {', '.join(sorted(wrong))}")
    for item in items:
        if item.nodeid in listed["tests"]:
            item.add_marker(pytest.mark.xfail(reason=listed["tests"][item.nodeid], strict=True))


def misfits(root: Path, tests: Iterable[str], files: Iterable[str], collected: set[str]) -> set[str]:
    """Return the listed tests that do not exist, and the files of tests that are neither listed nor run."""
    run = {node_id.partition("::")[0] for node_id in collected}
    there = {str(path.relative_to(root)) for path in root.glob("testing/*test*.py") if path.name != "conftest.py"}
    return (set(tests) - collected) | ((there - run) ^ set(files))


@pytest.fixture(autouse=True)
def _through_paddock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the inner plugins into what the test starts; after ``pytester``, which sets its own variables."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")
    monkeypatch.setenv(VARIABLE, str(request.config.getoption(OPTION)))
