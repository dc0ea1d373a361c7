"""``--paddock-engine=auto``: namespaces where a cluster can be used, processes of this machine where none can.

Owns that it is settled once for a run and said in a line: nobody is to take one for the other.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from paddock import engines
from paddock.errors import UsageError
from paddock.plugin import options

if TYPE_CHECKING:
    from paddock.settings.resolution import Settings

_KEY = pytest.StashKey[str]()


def read(config: pytest.Config) -> Settings:
    """Return the settings of this run, with its engine settled.

    Raises:
        pytest.UsageError: something was given that cannot be meant.
    """
    settings = options.read(config)
    if settings.engine != engines.AUTO:
        return settings
    if _KEY not in config.stash:
        config.stash[_KEY] = _settled(settings)
    return replace(settings, engine=config.stash[_KEY])


def _settled(settings: Settings) -> str:
    reason = _without_cluster(settings)
    engine = engines.LOCAL if reason else engines.KUBERNETES
    why = f"no cluster can be used: {reason}" if reason else "a cluster answers"
    sys.stderr.write(f"paddock: --paddock-engine=auto takes {engine}, since {why}\n")
    return engine


def _without_cluster(settings: Settings) -> str:
    """Return why no cluster can be used; what the user named must be right all the same."""
    with options.told():
        try:
            return engines.without_cluster(settings.context, settings.kubeconfig)
        except UsageError as error:
            if settings.context or settings.kubeconfig:
                raise
            return str(error).rstrip(".")
