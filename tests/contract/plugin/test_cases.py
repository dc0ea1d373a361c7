from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.cases import CASES
from tests.contract.plugin.fault_cases import FAULT_CASES

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pytest_means_the_same(case: Case, run: Run) -> None:
    """Every case holds on the subprocess engine."""
    case(run)


@pytest.mark.parametrize("case", FAULT_CASES, ids=lambda case: case.__name__)
def test_trouble_is_told_and_ends(case: Case, run: Run) -> None:
    """Every case of an engine in trouble holds on the subprocess engine."""
    case(run)
