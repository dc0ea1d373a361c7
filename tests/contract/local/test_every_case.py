"""The cases of every engine, on the local one: real processes of this machine, and nothing in the engine's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.brokers.suite import GUARDED, SAME_EVERYWHERE
from tests.contract.local.conftest import left
from tests.contract.plugin import cases
from tests.contract.plugin.option_cases import SAMENESS, check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.option_cases import Sameness
    from tests.contract.plugin.running import Run

NOT_HERE = {
    cases.environment_travels_by_name: "workers are processes of this machine: all variables are there",
    cases.a_missed_file_that_was_not_sent_is_named: "nothing is sent",
    cases.ignored_files_can_be_included: "nothing is sent",
    cases.files_can_be_excluded: "nothing is sent",
    cases.too_large_sources_are_a_usage_error: "nothing is sent",
}
"""Cases of what is between two machines, each with the reason why there is none."""


@pytest.mark.parametrize("case", [one for one in cases.CASES if one not in NOT_HERE], ids=lambda case: case.__name__)
def test_pytest_means_the_same(case: Case, run: Run, temporary: Path) -> None:
    """Every case of any engine holds, and no folder stays."""
    case(run)
    assert left(temporary) == []


@pytest.mark.parametrize("case", SAMENESS, ids=lambda case: case.name)
def test_options_mean_what_they_mean_under_stock_xdist(case: Sameness, run: Run) -> None:
    """Every comparison holds."""
    check(run, case)


@pytest.mark.parametrize("per_worker", ["true", "false"])
def test_broker_fixtures_are_the_same_with_a_broker_each_and_with_a_shared_one(run: Run, per_worker: str) -> None:
    """R0 and R2: clients, cleaning, wills and kept sessions; one process serves all where workers share it."""
    told = """
def test_port(mqtt_broker):
    import os, pathlib
    pathlib.Path(f"port-{os.environ['PADDOCK_WORKER']}-{mqtt_broker.port}").touch()
"""
    files = {"pyproject.toml": "", "test_brokers.py": SAME_EVERYWHERE, "test_1.py": told, "test_2.py": told}
    result = run("-n2", "--dist=loadfile", f"--paddock-broker-per-worker={per_worker}", files=files)
    assert (result.code, result.counts) == (0, {"passed": 14}), result
    seen = {path.name.split("-")[1]: path.name.split("-")[2] for path in result.folder.glob("port-*")}
    assert len(set(seen.values())) == (len(seen) if per_worker == "true" else 1), seen


@pytest.mark.parametrize("per_worker", ["true", "false"])
def test_a_broker_with_tls_accounts_and_rights_is_entered_by_fixtures_and_by_nobody_else(
    run: Run, per_worker: str
) -> None:
    """Also run in namespaces; no password and no key is in what is printed."""
    result = run("-n2", f"--paddock-broker-per-worker={per_worker}", files=GUARDED)
    assert (result.code, result.counts) == (0, {"passed": 5}), result
    assert "c-secret" not in result.out
