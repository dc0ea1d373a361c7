"""--dist loadgroup by what the workers tell of their groups, in place of node ids that carry them.

Subclasses one method of pytest-xdist 3.8, ``_split_scope``, as xdist's own loadfile and loadgroup do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from xdist.scheduler import LoadGroupScheduling

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from xdist.remote import Producer


class GroupScheduling(LoadGroupScheduling):  # type: ignore[misc] # xdist ships no types
    """xdist's loadgroup with the groups looked up in ``groups``, which fills as workers collect."""

    def __init__(self, config: pytest.Config, log: Producer | None, groups: Mapping[str, str]) -> None:
        super().__init__(config, log)
        self._groups = groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid) or cast("str", super()._split_scope(nodeid))
