"""What cannot go together with ``--paddock``, each told in one line that ends in the remedy.

It must not start anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from paddock.engines import LOCAL
from paddock.plugin import options
from paddock.settings import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from paddock.settings.resolution import Settings

_INFORMATION = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "collectonly", "cacheshow")


def only_informs(config: pytest.Config) -> bool:
    """Return whether pytest will only print something, so that no namespace is needed."""
    return any(getattr(config.option, name, None) for name in _INFORMATION)


def check_early(config: pytest.Config, *, wanted: bool) -> None:
    """Refuse what must be refused before pytest reads the whole command line.

    Raises:
        pytest.UsageError: a flag does not exist, does nothing, or was given in two words where it has a path; or
            pytest-xdist is missing.
    """
    given = options.given(config.invocation_params.args)
    _check_flags(given, wanted=wanted)
    if wanted and not config.pluginmanager.hasplugin("xdist"):
        raise pytest.UsageError(
            "--paddock needs pytest-xdist, which is not loaded: drop '-p no:xdist' or install pytest-xdist.",
        )
    words = [str(argument) for argument in config.invocation_params.args]
    for option in table.OPTIONS:
        if option.kind.path and option.flag in words:
            raise pytest.UsageError(
                f"{option.flag} and its path in two words would move pytest's rootdir: write {option.flag}=PATH.",
            )


def _check_flags(given: Iterable[str], *, wanted: bool) -> None:
    known = [option.flag for option in table.OPTIONS]
    for flag in given:
        if flag not in known:
            from difflib import get_close_matches  # noqa: PLC0415 - needed for a mistake only

            near = get_close_matches(flag, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "See pytest --help."
            raise pytest.UsageError(f"The option {flag} does not exist. {hint}")
        if not wanted and table.BY_NAME["enabled"].environment not in os.environ:
            raise pytest.UsageError(f"{flag} does nothing without --paddock: add it, or drop {flag}.")


def check(config: pytest.Config, settings: Settings) -> None:
    """Refuse what the run cannot do.

    Raises:
        pytest.UsageError: one of the refusals holds.
    """
    for holds, sentence in _REFUSALS:
        if holds(config, settings):
            raise pytest.UsageError(sentence)
    for path in _missing(config):  # under xdist only the workers would look, and end with "no tests ran"
        raise pytest.UsageError(f"{path} was not found, neither as a file nor as a folder: check the paths given.")


def is_alone(config: pytest.Config, settings: Settings) -> bool:
    """Whether pytest's own process is to run the tests: the local engine can do that, and xdist does it under --pdb."""
    by_itself = config.option.usepdb and config.option.numprocesses in _AS_MANY_AS_FIT
    return settings.engine == LOCAL and (not config.option.numprocesses or by_itself)


_AS_MANY_AS_FIT = ("auto", "logical")
"""Numbers of workers for which xdist takes none under --pdb."""


def _missing(config: pytest.Config) -> Iterator[str]:
    paths = () if config.option.pyargs else (argument.split("::")[0] for argument in config.args)
    return (path for path in paths if not (config.invocation_params.dir / path).exists())


_REFUSALS: tuple[tuple[Callable[[pytest.Config, Settings], bool], str], ...] = (
    (
        lambda config, settings: bool(config.option.usepdb) and settings.engine != LOCAL,
        "--paddock with --pdb needs --paddock-engine=local, since no terminal reaches a pod: add it, or drop --pdb.",
    ),
    (
        lambda config, settings: bool(config.option.usepdb) and not is_alone(config, settings),
        "--pdb needs the tests in pytest's own process: run without workers, with -n 0.",
    ),
    (
        lambda config, settings: not config.option.numprocesses and settings.engine != LOCAL,
        "--paddock needs a number of workers above zero: add -n, as in 'pytest --paddock -n 4'.",
    ),
    (
        lambda config, _: config.option.dist == "each",
        "--paddock cannot be combined with --dist each, since all workers are alike: choose another --dist.",
    ),
    (
        lambda config, _: bool(getattr(config.option, "looponfail", False)),
        "--paddock cannot be combined with --looponfail, which pytest-xdist gives up: drop it.",
    ),
    (
        lambda config, settings: (
            settings.engine == LOCAL and bool(config.option.paddock_context or config.option.paddock_kubeconfig)
        ),
        "--paddock-engine=local takes no --paddock-context and no --paddock-kubeconfig, having no cluster: drop one.",
    ),
)
