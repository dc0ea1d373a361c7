from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.cases import (
    CASES,
    DISTRIBUTIONS,
    a_crash_is_one_failure,
    the_only_worker_is_replaced,
)
from tests.contract.plugin.end_cases import END_CASES
from tests.contract.plugin.fault_cases import FAULT_CASES
from tests.contract.plugin.option_cases import SAMENESS, check
from tests.contract.plugin.rerun_cases import RERUN_CASES, a_flaky_test_has_one_verdict, a_lost_test_has_one_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.option_cases import Sameness
    from tests.contract.plugin.running import Run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pytest_means_the_same(case: Case, run: Run) -> None:
    """Every case holds on the subprocess engine."""
    case(run)


@pytest.mark.parametrize("mode", DISTRIBUTIONS)
@pytest.mark.parametrize("case", [a_crash_is_one_failure, the_only_worker_is_replaced])
def test_every_distribution_survives_a_crash(case: Callable[[Run, str], None], mode: str, run: Run) -> None:
    """Which engine the worker ran in makes no difference to the schedulers, so this needs no node."""
    case(run, mode)


@pytest.mark.parametrize("case", SAMENESS, ids=lambda case: case.name)
def test_options_mean_what_they_mean_under_stock_xdist(case: Sameness, run: Run) -> None:
    """Every comparison holds on the subprocess engine."""
    check(run, case)


@pytest.mark.parametrize("case", FAULT_CASES, ids=lambda case: case.__name__)
def test_trouble_is_told_and_ends(case: Case, run: Run) -> None:
    """Every case of an engine in trouble holds on the subprocess engine."""
    case(run)


@pytest.mark.parametrize("case", RERUN_CASES, ids=lambda case: case.__name__)
def test_tests_run_again(case: Case, run: Run) -> None:
    """Every case of a test that runs more than once holds on the subprocess engine."""
    case(run)


@pytest.mark.parametrize("mode", DISTRIBUTIONS)
@pytest.mark.parametrize("case", [a_lost_test_has_one_verdict, a_flaky_test_has_one_verdict])
def test_every_distribution_runs_tests_again(case: Callable[[Run, str], None], mode: str, run: Run) -> None:
    """Once as its verdict, whatever stays together."""
    case(run, mode)


@pytest.mark.parametrize("case", END_CASES, ids=lambda case: case.__name__)
def test_a_run_ends_well(case: Case, run: Run) -> None:
    """Every case of a run's end holds on the subprocess engine."""
    case(run)
