"""Each row of the requirements about brokers and databases has a test that names it and runs in both engines.

The tests are those of users' suites, which a module of each engine's runs; a few rows are seen from outside of a run,
and have a test of one name in a module of each.
"""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCAL, CLUSTER = ROOT / "tests" / "contract", ROOT / "tests" / "cluster"
RUN_BY = {
    "tests.contract.rows:FILES": ("local/test_rows.py", "test_rows.py"),
    "tests.contract.rows:WAITS": ("local/test_rows.py", "test_rows.py"),
    "tests.contract.wrong_suites:WRONG": ("local/test_rows.py", "test_rows.py"),
    "tests.contract.wrong_suites:BROKER_KILLED": ("local/test_rows.py", "test_rows.py"),
    "tests.contract.wrong_suites:LEFT_OPEN": ("local/test_rows.py", "test_databases.py"),
    "tests.contract.brokers.suite:SAME_EVERYWHERE": ("local/test_every_case.py", "test_broker_fixtures.py"),
    "tests.contract.brokers.suite:GUARDED": ("local/test_every_case.py", "test_broker_fixtures.py"),
    "tests.contract.fixtures.database_suites:ALL": ("fixtures/test_databases.py", "test_databases.py"),
    "tests.contract.services.suite:FILES": ("local/test_services.py", "test_declared_services.py"),
}
"""Suite -> the module that runs it in the local engine, and the one that runs it in namespaces."""
IN_USERS_SUITES = {
    "R0 a broker for each worker, or one with topics of each worker's own": "test_r0_a_broker_for_each_worker_or",
    "R0 topics, filters and callbacks per topic without the prefix": "test_r0_a_namespaced_client_never_shows_the",
    "R0 retained messages and wills": "test_r0_what_is_retained_and_wills_stay",
    "R0 $share and $SYS": "test_r0_shared_subscriptions_and_the_brokers_own",
    "R0 parallel_test_context, get_service_env": "test_r0_parallel_test_context",
    "R0 aliases of old": "test_r0_the_names_of_old",
    "R0 service containers of a test's own": "test_r0_a_test_starts_a_service_of_its_own",
    "R0 more than half faster than one after another": "test_r0_waits",
    "R0 accounts, rights and TLS": "test_an_account_has_its_rights_and_no_others",
    "R2 a shared pool, reference counted": "test_r2_connections_are_shared_and_counted",
    "R2 thread safe": "test_r2_many_threads_use_the_pool_at_once",
    "R2 healed connections": "test_r2_a_connection_that_breaks_off_is_healed",
    "R2 a broker that restarts": "test_kills",
    "R2 state reset between tests": "test_r2_everything_is_reset_between_tests",
    "R2 kept sessions and what the code under test left": "test_what_code_under_test_left_is_gone",
    "R2 a drop-in": "test_r2_the_reset_is_a_drop_in",
    "R2 safe executors of the code under test": "test_r2_executors_of_the_code_under_test_are_safe",
    "R2 a safe executor": "test_r2_safe_executor",
    "R2 run-once": "test_r2_a_periodic_task_is_run_one_step_at_a_time",
    "R2 waiting by condition": "test_r2_waiting_is_by_condition_with_a_limit",
    "R3 a file database for each test": "test_r3_worker_db_path",
    "R3 DuckDB": "test_r3_duckdb",
    "R3 a schema function": "test_r3_a_module_has_files_of_its_own",
    "R4 a database for each test, by name": "test_r4_a_database_per_test",
    "R4 only the test's own are dropped": "test_r4_only_the_tests_own_databases_are_dropped",
    "R4 open connections are told": "test_leaks",
    "R4 constants": "test_r4_constants_are_resolved_per_test",
    "R4 unique_name": "test_r4_unique_name",
    "R4 several databases": "test_r4_several_databases_in_a_test",
    "R4 variables of the project's own": "test_r4_variables_under_the_projects_own_names",
    "R4 extensions": "test_r4_extensions_by_list",
    "R4 a schema of a module's own": "test_r4_a_module_has_a_schema_of_its_own",
}
"""Row -> how the test that stands for it begins."""
FROM_OUTSIDE = {
    "R0 and R2 hold as a whole": "test_each_row_of_r0_and_r2_holds",
    "R0 wait-bound suites": "test_a_suite_that_waits_takes_less_than_half_of_its_waits",
    "R2 rolled back by a setting": "test_what_is_dropped_in_is_rolled_back_by_a_setting",
    "bad input is one sentence": "test_bad_input_is_one_sentence_for_those_that_need_it",
    "a broker killed in a test": "test_a_broker_that_is_killed_in_a_test_comes_back_for_the_next",
}
ELSEWHERE = {
    "accelerator": ("local/test_devices.py", "test_hardware.py"),
    "accelerator_service": ("local/test_devices.py", "test_accelerator_service.py"),
}
"""Fixture -> the modules of tests that use it in the local engine and in namespaces."""


def texts(name: str) -> list[str]:
    """Return what a suite's test modules hold."""
    module, constant = name.split(":")
    found = getattr(import_module(module), constant)
    if constant == "WRONG":
        return [text for one in found.values() for text in one.files.values()]
    return [found] if isinstance(found, str) else list(found.values())


ALL = [text for name in RUN_BY for text in texts(name) if "def test_" in text]


@pytest.mark.parametrize("name", RUN_BY)
def test_each_suite_is_run_in_both_engines(name: str) -> None:
    """By a module that imports it."""
    module, constant = name.split(":")
    imported = re.compile(rf"^from {re.escape(module)} import .*\b{constant}\b", re.MULTILINE)
    for file in (LOCAL / RUN_BY[name][0], CLUSTER / RUN_BY[name][1]):
        text = file.read_text(encoding="utf-8")
        assert imported.search(text), file
        assert len(re.findall(rf"\b{constant}\b", text)) > 1, f"{file} imports {constant} and does not use it"


@pytest.mark.parametrize("row", IN_USERS_SUITES)
def test_each_row_has_a_test_in_a_suite_of_both_engines(row: str) -> None:
    """Which is named after it."""
    assert [one for text in ALL for one in re.findall(rf"^def {IN_USERS_SUITES[row]}", text, re.MULTILINE)]


@pytest.mark.parametrize("row", FROM_OUTSIDE)
def test_each_row_that_is_seen_from_outside_has_a_test_for_each_engine(row: str) -> None:
    """Of the same name."""
    for file in (LOCAL / "local" / "test_rows.py", CLUSTER / "test_rows.py"):
        assert f"def {FROM_OUTSIDE[row]}(" in file.read_text(encoding="utf-8")


def documented() -> set[str]:
    """Return the fixtures that the tables of ``docs/fixtures.md`` list."""
    page = (ROOT / "docs" / "fixtures.md").read_text(encoding="utf-8")
    firsts = re.findall(r"^\| (`[^|]*`) \|", page, re.MULTILINE)
    return {name for cell in firsts for name in re.findall(r"`([a-z]\w+)`", cell)}


def arguments() -> set[str]:
    """Return what the tests and fixtures of all these suites ask for or define."""
    functions = (node for text in ALL for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return {name for one in functions for name in (one.name, *(argument.arg for argument in one.args.args))}


def test_each_documented_fixture_is_used_in_both_engines() -> None:
    """What docs/fixtures.md promises is asked for by a test there and here."""
    assert documented() - set(ELSEWHERE) - arguments() == set()
    for name, (local, cluster) in ELSEWHERE.items():
        for file in (LOCAL / local, CLUSTER / cluster):
            assert name in file.read_text(encoding="utf-8")
    assert len(documented()) > 30
