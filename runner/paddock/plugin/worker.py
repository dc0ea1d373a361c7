"""The worker's side of a run: what the controller must know beside what xdist tells it.

It must not know engines or clusters: it runs where they have put it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import execnet


class GroupTeller:
    """Tells the controller which tests carry ``xdist_group``, for --dist loadgroup.

    xdist hides the group in the node id, which pytest 9.2 no longer lets it change (pytest-xdist issue 1386): its
    groups fall apart without a word. Here they travel beside the node ids.
    """

    def __init__(self, channel: execnet.Channel) -> None:
        self._channel = channel

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Send the groups just before xdist sends the node ids: one connection keeps the order."""
        groups = {item.nodeid: _group(item) for item in session.items}
        self._channel.send({node_id: group for node_id, group in groups.items() if group})


def _group(item: pytest.Item) -> str:
    """Return the test's group as xdist names it: several marks make one name."""
    names = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in _marks(item)}
    return "_".join(sorted(names))


def _marks(item: pytest.Item) -> list[pytest.Mark]:
    return list(item.iter_markers("xdist_group"))
