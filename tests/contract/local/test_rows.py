"""Each row of R0 and R2 in the local engine; ``tests/cluster/test_rows.py`` runs the same files in namespaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.contract.local.test_life import USES
from tests.contract.rows import DROPPED_IN, FILES, LATE, ROLLED_BACK, TESTS, WAITS, overlap
from tests.contract.wrong_suites import BROKER_KILLED, LEFT_OPEN, TOLD_OF_THEM, WRONG

if TYPE_CHECKING:
    from tests.contract.plugin.running import Run


@pytest.mark.parametrize("workers", ["-n2", "-n0"])
@pytest.mark.parametrize("per_worker", ["true", "false"])
def test_each_row_of_r0_and_r2_holds(run: Run, per_worker: str, workers: str) -> None:
    """With a broker for each worker and with one for all, with workers and without."""
    result = run(workers, files=FILES, environment={"TEST_PER_WORKER_BROKERS": per_worker})
    assert (result.code, result.counts) == (0, {"passed": TESTS}), result
    assert result.out.count("it was not run.") == LATE, result


def test_what_is_dropped_in_is_rolled_back_by_a_setting(run: Run) -> None:
    """R2: then the same tests find what others left, and executors that refuse."""
    result = run(*DROPPED_IN, files=FILES, environment=ROLLED_BACK)
    assert (result.code, result.counts) == (1, {"passed": 1, "failed": 4}), result
    assert result.out.count("RuntimeError: cannot schedule new futures after shutdown") >= 2, result


@pytest.mark.parametrize("per_worker", ["true", "false"])
def test_a_suite_that_waits_takes_less_than_half_of_its_waits(run: Run, per_worker: str) -> None:
    """R0: from the first test's begin to the last one's end, which one after another could not be quicker."""
    files = {"pyproject.toml": "", "test_waits.py": WAITS}
    result = run("-n4", "-rP", files=files, environment={"TEST_PER_WORKER_BROKERS": per_worker})
    assert result.code == 0, result
    assert overlap(result.out) < 0.5, result


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_one_sentence_for_those_that_need_it(run: Run, name: str) -> None:
    """It is there once; the other tests run."""
    wrong = WRONG[name]
    result = run("-n1", "-rN", *wrong.options, files=wrong.files)
    assert (result.code, result.counts) == (1, wrong.counts), result
    assert len(re.findall(wrong.told, result.out)) == 1, result
    assert wrong.never not in result.out


def test_a_broker_that_is_killed_in_a_test_comes_back_for_the_next(run: Run) -> None:
    """R2: the pool heals, and between tests everything is cleared as before."""
    kill = f"{USES}\n    def kill_the_broker(): os.kill(noted()['broker'], 9)\n"
    files = {"pyproject.toml": "", "test_killed.py": BROKER_KILLED, "kill.py": kill}
    result = run("-n1", "--dist=loadfile", "--paddock-order=collected", files=files)
    assert (result.code, result.counts) == (0, {"passed": 6}), result


def test_what_tests_leave_open_is_told_and_fails_nothing(run: Run) -> None:
    """R4 and R2: a connection that keeps no database, and a late submission."""
    result = run("-n1", files=LEFT_OPEN)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert [told for told in TOLD_OF_THEM if told not in result.out] == [], result
