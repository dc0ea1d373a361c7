"""Between pytest's options and ``settings``: declares the flags and reads what was given.

It must not decide anything: values, defaults and their order stand in ``paddock.settings``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from paddock import settings
from paddock.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

WORKER_VARIABLE = "PYTEST_XDIST_WORKER"


def declare(parser: pytest.Parser) -> None:
    """Add every option of the table to pytest's parser, unread: ``settings`` knows how."""
    group = parser.getgroup("paddock", "paddock: a Kubernetes namespace for every worker")
    for option in settings.OPTIONS:
        group.addoption(
            option.flag, dest=option.destination, default=None, help=_help(option), **_shape(option.kind, option)
        )


def _shape(kind: settings.Kind, option: settings.Option) -> dict[str, str]:
    if kind.switch:
        return {"action": "store_const", "const": "true"}
    return {"action": "append" if kind.repeated else "store", "metavar": option.kind.metavar}


def _help(option: settings.Option) -> str:
    default = f" (default: {option.default}{' s' if option.unit else ''})" if option.default else ""
    return f"{option.help}{default}"


def wanted(namespace: Namespace) -> bool:
    """Return whether this process is to lead a run of ours; never inside a worker, whatever it inherited."""
    if WORKER_VARIABLE in os.environ:
        return False
    with told():
        return settings.is_enabled(namespace.paddock, os.environ)


def read(config: pytest.Config) -> settings.Settings:
    """Return the settings of this run.

    Raises:
        pytest.UsageError: something was given that cannot be meant.
    """
    with told():
        return settings.resolve(_flags(config.option), os.environ, settings.read_pyproject(config.rootpath))


def _flags(namespace: Namespace) -> Mapping[str, settings.Raw]:
    return {option.name: getattr(namespace, option.destination) for option in settings.OPTIONS}


@contextmanager
def told() -> Iterator[None]:
    """Turn our usage errors into pytest's, which it tells in one line with exit code 4."""
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
