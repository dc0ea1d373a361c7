"""Siblings of a project and artifacts of its tests, in real namespaces: the cases that every engine must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.test_options import project, run  # noqa: F401 - fixtures: the same project folder, the same pytest
from tests.contract.plugin.file_cases import FILE_CASES

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.mark.parametrize("case", FILE_CASES, ids=lambda case: case.__name__)
def test_files_travel_in_namespaces(case: Case, run: Run) -> None:  # noqa: F811 - see above
    """Every case holds on the embedded node, and leaves no namespace."""
    case(run)
