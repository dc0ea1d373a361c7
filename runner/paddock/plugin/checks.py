"""What cannot go together with ``--paddock``, each told in one line that ends in the remedy.

It must not start anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INFORMATION = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "collectonly", "cacheshow")


def only_informs(config: pytest.Config) -> bool:
    """Return whether pytest will only print something, so that no namespace is needed."""
    return any(getattr(config.option, name, None) for name in _INFORMATION)


def check_early(config: pytest.Config) -> None:
    """Refuse what must be refused before pytest reads the whole command line.

    Raises:
        pytest.UsageError: pytest-xdist is missing, or a path option was given in two words.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        raise pytest.UsageError(
            "--paddock needs pytest-xdist, which is not loaded: drop '-p no:xdist' or install pytest-xdist.",
        )
    given = [str(argument) for argument in config.invocation_params.args]
    for option in table.OPTIONS:
        if option.kind.path and option.flag in given:
            raise pytest.UsageError(
                f"{option.flag} and its path in two words would move pytest's rootdir: write {option.flag}=PATH.",
            )


def check(config: pytest.Config) -> None:
    """Refuse what a run in namespaces cannot do.

    Raises:
        pytest.UsageError: one of the refusals holds.
    """
    for holds, sentence in _REFUSALS:
        if holds(config):
            raise pytest.UsageError(sentence)
    for path in _missing(config):  # under xdist only the workers would look, and end with "no tests ran"
        raise pytest.UsageError(f"{path} was not found, neither as a file nor as a folder: check the paths given.")


def _missing(config: pytest.Config) -> Iterator[str]:
    paths = () if config.option.pyargs else (argument.split("::")[0] for argument in config.args)
    return (path for path in paths if not (config.invocation_params.dir / path).exists())


_REFUSALS: tuple[tuple[Callable[[pytest.Config], bool], str], ...] = (
    (
        lambda config: bool(config.option.usepdb),
        "--paddock cannot be combined with --pdb, since no terminal reaches a pod: drop one of them.",
    ),
    (
        lambda config: not config.option.numprocesses,
        "--paddock needs a number of workers above zero: add -n, as in 'pytest --paddock -n 4'.",
    ),
    (
        lambda config: config.option.dist == "each",
        "--paddock cannot be combined with --dist each, since all workers are alike: choose another --dist.",
    ),
    (
        lambda config: bool(getattr(config.option, "looponfail", False)),
        "--paddock cannot be combined with --looponfail, which pytest-xdist gives up: drop it.",
    ),
)
