from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.file_cases import FILE_CASES

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Run


@pytest.mark.parametrize("case", FILE_CASES, ids=lambda case: case.__name__)
def test_files_travel(case: Case, run: Run) -> None:
    """Every case holds on the subprocess engine."""
    case(run)
