"""How our own tests share out over xdist's workers: those on the node stay together and come last, others go anywhere.

The node is one for the whole machine, and some of its tests list what there is on the machine: others beside them would
be in the list. It must not know which tests there are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

NODE = "node"
ON_THE_NODE = ("tests/cluster/", "tests/e2e/", "tests/chaos/")
"""Where the tests are that use the node: they run one after another, in one process, which starts it once."""

_FROM_XDIST = "PYTEST_XDIST_"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let tests find the environment that they find without workers: what they start is no worker of xdist's."""
    if hasattr(config, "workerinput"):
        for name in [one for one in os.environ if one.startswith(_FROM_XDIST)]:
            del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Keep the tests on the node together by their folders: with pytest 9.2 groups fall apart (pytest-xdist #1386)."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only runs with workers have it

    class NodeTogether(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
        def _split_scope(self, nodeid: str) -> str:
            return NODE if nodeid.startswith(ON_THE_NODE) else nodeid

    config.option.loadscopereorder = False  # as collected: the largest scope, the node's, would come first
    return NodeTogether(config, log)
