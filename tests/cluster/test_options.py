"""What pytest's options mean, in real namespaces: the cases that every engine must keep, on the embedded node."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.cases import CASES
from tests.contract.plugin.option_cases import SAMENESS, check
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.option_cases import Sameness
    from tests.contract.plugin.running import Interrupt, Result, Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project folder, at the same path for every case: the worker image holds a folder at that path."""
    folder = Path(tempfile.gettempdir()) / "paddock-options"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Run:
    """Runs pytest with Paddock on the embedded node, in the project folder."""
    (tmp_path / "temp").mkdir()

    def run(
        *args: str,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        faults: Mapping[str, Mapping[str, object]] | None = None,
        interrupts: Sequence[Interrupt] = (),
        paddock: bool = True,
    ) -> Result:
        assert not faults, "faults are the subprocess engine's"
        write(project, files or {})
        debris = {"PYTEST_DEBUG_TEMPROOT": str(tmp_path / "temp"), "WITNESS": str(tmp_path)}
        ours = ["--paddock"] if paddock else []
        return run_pytest([*ours, *args], project, {**clean_environment(), **debris, **(environment or {})}, interrupts)

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pytest_means_the_same_in_namespaces(case: Case, run: Run) -> None:
    """Every case holds on the embedded node, and leaves no namespace."""
    case(run)


@pytest.mark.parametrize("case", SAMENESS, ids=lambda case: case.name)
def test_options_mean_in_namespaces_what_they_mean_under_stock_xdist(case: Sameness, run: Run) -> None:
    """Every comparison holds on the embedded node."""
    check(run, case)
