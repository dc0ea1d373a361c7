"""Between pytest's options and ``paddock.settings``: declares the flags and reads what was given.

It must not decide anything: values, defaults and their order stand in ``paddock.settings``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.settings import table

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Mapping

    from paddock.settings.kinds import Kind
    from paddock.settings.resolution import Settings

WORKER_VARIABLE = "PYTEST_XDIST_WORKER"


def declare(parser: pytest.Parser) -> None:
    """Add every option of the table to pytest's parser, unread: ``settings`` knows how."""
    group = parser.getgroup("paddock", "paddock: a Kubernetes namespace for every worker")
    for option in table.OPTIONS:
        group.addoption(
            option.flag, dest=option.destination, default=None, help=_help(option), **_shape(option.kind, option)
        )


def _shape(kind: Kind, option: table.Option) -> dict[str, str]:
    if kind.switch:
        return {"action": "store_const", "const": "true"}
    return {"action": "append" if kind.repeated else "store", "metavar": option.kind.metavar}


def _help(option: table.Option) -> str:
    default = f" (default: {option.default}{' s' if option.unit else ''})" if option.default else ""
    return f"{option.help}{default}"


def wanted(namespace: Namespace) -> bool:
    """Return whether this process is to lead a run of ours; never inside a worker, whatever it inherited."""
    if WORKER_VARIABLE in os.environ:
        return False
    with told():
        return table.is_enabled(namespace.paddock, os.environ)


def given(arguments: Iterable[object]) -> list[str]:
    """Return the flags beginning with ours on a command line, known or not; none inside a worker."""
    if WORKER_VARIABLE in os.environ:
        return []
    flags = [str(argument).partition("=")[0] for argument in arguments]
    return [flag for flag in flags if flag.startswith("--paddock-")]


def only_planned(namespace: Namespace) -> bool:
    """Return whether the run is to be printed and not made; that the words exist is checked later."""
    option = table.BY_NAME["plan"]
    return bool(getattr(namespace, option.destination) or os.environ.get(option.environment))


def read(config: pytest.Config) -> Settings:
    """Return the settings of this run.

    Raises:
        pytest.UsageError: something was given that cannot be meant.
    """
    from paddock.settings.resolution import read_pyproject, resolve  # noqa: PLC0415 - a run without Paddock needs none of it

    with told():
        return resolve(_flags(config.option), os.environ, read_pyproject(config.rootpath))


def _flags(namespace: Namespace) -> Mapping[str, table.Raw]:
    return {option.name: getattr(namespace, option.destination) for option in table.OPTIONS}


@contextmanager
def told() -> Iterator[None]:
    """Turn our usage errors into pytest's, which it tells in one line with exit code 4."""
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
