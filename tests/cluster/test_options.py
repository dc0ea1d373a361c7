"""What pytest's options mean, in real namespaces: the cases that every engine must keep, on the embedded node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.on_the_node import project_folder, runner
from tests.contract.plugin.cases import CASES
from tests.contract.plugin.option_cases import SAMENESS, check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.option_cases import Sameness
    from tests.contract.plugin.running import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project folder, the same for every case."""
    with project_folder("paddock-options") as folder:
        yield folder


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Run:
    """Runs pytest with Paddock on the embedded node, in the project folder."""
    return runner(project, tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pytest_means_the_same_in_namespaces(case: Case, run: Run) -> None:
    """Every case holds on the embedded node, and leaves no namespace."""
    case(run)


@pytest.mark.parametrize("case", SAMENESS, ids=lambda case: case.name)
def test_options_mean_in_namespaces_what_they_mean_under_stock_xdist(case: Sameness, run: Run) -> None:
    """Every comparison holds on the embedded node."""
    check(run, case)
