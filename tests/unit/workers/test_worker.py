"""Laws of what a worker process is started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paddock.specs import Images, PythonEnvironment, RunPlan
from paddock.workers.worker import boot_argv, environment, hash_seed, warm_order, worker_start

SECRETS = ("API_TOKEN", "COVERALLS_REPO_TOKEN", "PYTHONANYWHERE_API_KEY", "LD_PASSWORD")


def plan(**changes: Any) -> RunPlan:
    """Return a plan with ``changes``."""
    python = PythonEnvironment(executable=Path("/src/.venv/bin/python"), links={"/src/.venv": "/opt/paddock/venv"})
    values: dict[str, Any] = {
        "run_id": "k7x2mq",
        "workers": ("gw0",),
        "root": Path("/src"),
        "working_directory": Path("/src/app"),
        "images": Images(worker="w", broker="b", database="d"),
        "python": python,
    }
    return RunPlan(**(values | changes))


def test_the_worker_runs_execnets_boot_line_unbuffered() -> None:
    """Execnet sends one line that is a program; ``-u`` because stdout is the stream."""
    assert boot_argv(plan()) == [
        "/src/.venv/bin/python",
        "-u",
        "-c",
        "import sys;exec(eval(sys.stdin.readline()))",
    ]


def test_language_and_time_zone_are_the_controllers() -> None:
    """They decide what tests see and collect; everything else of the controller stays there."""
    env = environment(plan(), {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "TZ": "Asia/Tokyo", "AWS_SECRET": "x"})
    assert (env["LANG"], env["LC_ALL"], env["TZ"]) == ("de_DE.UTF-8", "C", "Asia/Tokyo")
    assert "AWS_SECRET" not in env


def test_the_machines_time_zone_counts_where_the_environment_names_none() -> None:
    """A controller without TZ still has a time zone."""
    assert environment(plan(), {}, time_zone="Europe/Berlin")["TZ"] == "Europe/Berlin"
    assert "TZ" not in environment(plan(), {})


def test_all_workers_of_a_run_hash_alike_and_runs_differ() -> None:
    """Node ids built from sets must be the same in every worker; another run draws another seed."""
    assert hash_seed("k7x2mq") == hash_seed("k7x2mq")
    assert hash_seed("k7x2mq") != hash_seed("k7x2mr")
    assert 0 <= int(hash_seed("k7x2mq")) < 2**32


@pytest.mark.parametrize(("chosen", "seed"), [("0", "0"), ("random", hash_seed("k7x2mq")), ("", hash_seed("k7x2mq"))])
def test_a_chosen_seed_is_kept(chosen: str, seed: str) -> None:
    """A number repeats a run; ``random`` would differ between workers, so it is drawn here."""
    assert environment(plan(), {"PYTHONHASHSEED": chosen})["PYTHONHASHSEED"] == seed


def test_the_plans_environment_wins() -> None:
    """What the user names for the tests is what they get."""
    env = environment(plan(environment={"HOME": "/elsewhere", "MY": "1"}), {"LANG": "C"})
    assert (env["HOME"], env["MY"]) == ("/elsewhere", "1")


def test_the_environments_own_programs_come_first() -> None:
    """A test that starts ``python`` or a console script gets the environment's."""
    env = environment(plan(), {})
    assert env["PATH"].startswith("/src/.venv/bin:")
    assert env["VIRTUAL_ENV"] == "/src/.venv"


def test_the_start_carries_folder_and_links_of_the_plan() -> None:
    """The worker starts where pytest was started, with the venv linked to its place."""
    start = worker_start(plan(), {}, folders=["/tmp/pytest-of-me"])  # noqa: S108 - a path in the pod
    assert start.cwd == "/src/app"
    assert start.links == {"/src/.venv": "/opt/paddock/venv"}
    assert list(start.folders) == ["/tmp", "/tmp/pytest-of-me"]  # noqa: S108 - paths in the pod


def test_what_waits_in_the_pod_holds_only_what_an_interpreter_reads() -> None:
    """The order stands in the pod's manifest, where everybody may read it who may read pods."""
    order = json.loads(warm_order(plan(environment=dict.fromkeys(SECRETS, "secret") | {"PYTHONUTF8": "1"}), {}))
    assert "secret" not in json.dumps(order)
    assert order["env"]["PYTHONUTF8"] == "1"
    assert order["env"]["PYTHONHASHSEED"]
    assert order["argv"][0] == "/src/.venv/bin/python"
