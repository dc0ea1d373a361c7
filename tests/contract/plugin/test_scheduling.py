"""What the scheduler promises, seen in whole runs on the subprocess engine."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.plugin.cases import DISTRIBUTIONS, GREEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.plugin.running import Result, Run

MARKS = """
    import os, pathlib, time, pytest

    FOLDER = pathlib.Path(os.environ["WITNESS"])

    def stay(name, seconds=0.15):
        (FOLDER / f"{time.monotonic()}-begin-{name}").touch()
        time.sleep(seconds)
        (FOLDER / f"{time.monotonic()}-end-{name}").touch()

    @pytest.mark.parametrize("n", range(6))
    def test_free(n): stay(f"free{n}")

    @pytest.mark.serial
    @pytest.mark.parametrize("n", range(2))
    def test_alone(n): stay(f"alone{n}")

    @pytest.mark.serial_only
    def test_alone_by_its_other_name(): stay("alone9")

    @pytest.mark.resource_intensive
    @pytest.mark.parametrize("n", range(3))
    def test_heavy(n): stay(f"heavy{n}")

    @pytest.mark.weight(2)
    def test_heavier(): stay("heavy9")
"""
NO_HISTORY = ["--paddock-history=/dev/null"]
STRICT = {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--strict-markers']\n"}


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_marks_bound_what_runs_at_once(mode: str, run: Run) -> None:
    """Serial tests run alone over all workers, weights stay below the limit, and the marks need no registration."""
    files = {"test_marks.py": MARKS, **STRICT}
    result = run("-n3", "--dist", mode, "--paddock-max-weight=2", "--paddock-env=WITNESS", files=files)
    assert (result.code, result.counts) == (0, {"passed": 13}), result
    running: set[str] = set()
    for entry in sorted(path.name for path in (result.folder.parent / "witness").iterdir()):
        _, what, name = entry.split("-")
        running = running | {name} if what == "begin" else running - {name}
        weight = sum(2 if one == "heavy9" else 1 for one in running if one.startswith("heavy"))
        assert weight <= 2, running
        assert len(running) == 1 or not any(one.startswith("alone") for one in running), running


def test_marks_are_known_without_paddock(run: Run) -> None:
    """The same suite runs with nothing but Paddock installed."""
    files = {
        "test_marks.py": "import pytest\n@pytest.mark.serial\n@pytest.mark.weight(3)\ndef test(): pass\n",
        **STRICT,
    }
    result = run(files=files, paddock=False)
    assert (result.code, result.counts) == (0, {"passed": 1}), result


def test_a_mark_with_wrong_arguments_is_that_tests_error(run: Run) -> None:
    """It names what was written and what is expected; every other test runs."""
    text = """
        import pytest
        @pytest.mark.weight("much")
        def test_a(): pass
        @pytest.mark.serial(1)
        def test_b(): pass
        def test_c(): pass
    """
    result = run("-n2", files={"test_wrong.py": text})
    assert (result.code, result.counts) == (1, {"passed": 1, "error": 2}), result
    assert "weight('much') is not a weight: write weight(n) with one whole number above zero." in result.out
    assert "serial(1) takes no arguments: write serial." in result.out
    assert re.search(r"^test_wrong\.py:3: weight", result.out, flags=re.MULTILINE), result
    assert re.search(r"^test_wrong\.py:5: serial", result.out, flags=re.MULTILINE), result


@pytest.mark.parametrize("mode", DISTRIBUTIONS)
def test_hardware_that_nobody_has_is_that_tests_error(mode: str, run: Run) -> None:
    """At once and with what is missing; whatever stays together with it runs, and no worker waits for the hardware."""
    text = """
        import pytest
        @pytest.mark.hardware("coral", count=2)
        @pytest.mark.hardware("gpu")
        @pytest.mark.xdist_group("one")
        def test_detects(): pass
        @pytest.mark.xdist_group("one")
        def test_beside(): pass
        @pytest.mark.skip
        @pytest.mark.hardware("coral")
        def test_skipped(): pass
    """
    args = ("-n2", "--dist", mode, "--junitxml=junit.xml")
    result = run(*args, files={"test_hard.py": text, **STRICT})
    assert (result.code, result.counts) == (1, {"passed": 1, "skipped": 1, "error": 1}), result
    assert "It needs hardware, 2 of 'coral' and 1 of 'gpu', and workers of this run hold none" in result.out
    assert "ERROR at setup of test_hard.py::test_detects" in result.out
    left_out = run(*args, "-m", "not hardware")
    assert (left_out.code, left_out.counts) == (0, {"passed": 1}), left_out


def test_how_long_hardware_is_needed_is_told_from_the_beginning(run: Run) -> None:
    """Before anything is collected by what earlier runs measured, and then by the plan; a first run says nothing."""
    text = """
        import pytest, time
        @pytest.mark.hardware("coral")
        @pytest.mark.parametrize("n", range(4))
        def test_detects(n): time.sleep(0.4)
        def test_plain(): time.sleep(0.4)
    """
    table = '[tool.paddock.devices.coral]\npaths = ["/dev/apex_*"]\n'
    args = ("-n2", "--paddock-hardware=coral")
    first = run(*args, files={"test_hard.py": text, "pyproject.toml": table})
    assert (first.code, first.counts) == (0, {"passed": 5}), first
    assert {call["seconds"] for call in calls(first, "foretell")} == {None}
    second = run(*args)
    before, *later = [call["seconds"] for call in calls(second, "foretell")]
    assert before == pytest.approx(1.6, abs=0.5), "what one worker takes for all that needs it"
    assert later, second
    assert all(0 <= seconds <= 2.5 for seconds in later), "five such tests, on as many workers as have come by then"
    assert [call["call"] for call in calls(second, "foretell", "begin")][:2] == ["foretell", "begin"]


def test_order_of_collection_is_kept_when_asked(run: Run) -> None:
    """With one worker and --paddock-order=collected the tests run as plain pytest runs them."""
    text = "import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_n(n): pass\n"
    files = {"test_b.py": text, "test_a.py": text}
    result = run("-n1", "-v", "--paddock-order=collected", files=files)
    assert [node_id for _, node_id in result.ran] == [
        f"test_{name}.py::test_n[{n}]" for name in "ab" for n in range(12)
    ]


@pytest.mark.parametrize("mode", DISTRIBUTIONS)
def test_tests_that_all_crash_end_the_run(mode: str, run: Run) -> None:
    """Each crash is its own test's failure, once; where no worker may follow, what never ran makes exit code 3."""
    text = "import os, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n): os._exit(9)\n"
    result = run("-n2", "--dist", mode, "--max-worker-restart=10", files={"test_crash.py": text})
    assert (result.code, result.counts) == (1, {"failed": 4}), result
    short = run("-n2", "--dist", mode, "--max-worker-restart=0", files={"test_crash.py": text})
    assert short.code == 3, short
    assert re.search(r"\d of 4 collected tests never ran", short.out), short


def test_a_scheduler_of_the_users_own_stays_in_charge(run: Run) -> None:
    """A hook that makes a scheduler decides, as under stock xdist."""
    conftest = """
        from xdist.scheduler import LoadScopeScheduling

        class Mine(LoadScopeScheduling):
            def _split_scope(self, node_id):
                print("asked", node_id)
                return "one"

        def pytest_xdist_make_scheduler(config, log):
            return Mine(config, log)
    """
    text = "def test_a(): pass\ndef test_b(): pass\n"
    result = run("-n2", "-s", files={"conftest.py": conftest, "test_a.py": text})
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    assert "asked test_a.py::test_a" in result.out


TIMED = {
    "test_many.py": """
        import pytest, time
        @pytest.mark.parametrize("n", range(8))
        def test_short(n): time.sleep(0.02)
        def test_last_and_longest(): time.sleep(0.6)
    """,
    "test_shared.py": """
        import pytest, time
        @pytest.fixture(scope="module")
        def expensive(): time.sleep(0.3)
        def test_a(expensive): pass
        def test_b(expensive): pass
    """,
}


def test_the_second_run_knows_the_first(run: Run) -> None:
    """Times are kept, fixtures apart from tests; by them the longest test begins first although it comes last."""
    first = run("-n1", "-v", files=TIMED)
    assert (first.code, first.counts) == (0, {"passed": 11}), first
    times = dict(json.loads(line) for line in history_of(first).read_text().split("\n")[1:] if line)
    assert 0.6 <= times["test_many.py::test_last_and_longest"][0][1] < 2
    assert times["test_shared.py"][0][1] >= 0.3
    assert times["test_shared.py::test_a"][0][1] < 0.3
    second = run("-n1", "-v")
    assert second.ran[0][1] == "test_many.py::test_last_and_longest", second
    assert first.ran[0][1] == "test_many.py::test_short[0]", first
    assert (history_of(second).parent / ".gitignore").exists()


def test_a_broken_history_is_a_sentence(run: Run) -> None:
    """The verdict is the tests'; the file is kept beside the new one."""
    result = run("-n1", files={**GREEN, ".paddock/history.jsonl": "no history\n"})
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert "cannot be read (no line says that this is a history): tests are planned without it." in result.out
    assert history_of(result).with_name("history.jsonl.broken").read_text() == "no history\n"
    assert '"test_green.py::test_n[5]"' in history_of(result).read_text()


def history_of(result: Result) -> Path:
    """Return where a run keeps its history."""
    return result.folder / ".paddock" / "history.jsonl"


@pytest.mark.parametrize("by", ["name", "times"])
def test_shards_of_a_suite_are_all_of_it(by: str, run: Run) -> None:
    """Each test runs in exactly one of the shards, every shard is green, and all tell the same sharing."""
    results = [
        run("-n1", "-v", f"--paddock-shard={n}/3", f"--paddock-shard-by={by}", *NO_HISTORY, files=GREEN)
        for n in (1, 2, 3)
    ]
    assert [result.code for result in results] == [0, 0, 0], results
    ran = sorted(node_id for result in results for _, node_id in result.ran)
    assert ran == [f"test_green.py::test_n[{n}]" for n in range(6)]
    assert len({re.search(r"\(sharing (\w+)\)", result.out)[1] for result in results}) == 1  # type: ignore[index] # asserted


def test_an_empty_shard_says_so(run: Run) -> None:
    """It is green and says that there was nothing to do; files of one unit stay together."""
    results = [run("-n1", f"--paddock-shard={n}/2", "--dist=loadfile", files=GREEN) for n in (1, 2)]
    assert [result.code for result in results] == [0, 0], results
    assert sum("is empty: none of the 6 tests is in it" in result.out for result in results) == 1
    assert sum(": 6 of 6 tests" in result.out for result in results) == 1


def test_what_is_no_shard_is_refused(run: Run) -> None:
    """One line and exit code 4, before anything is made."""
    for text in ("0/4", "5/4", "2", "a/b"):
        result = run("-n1", f"--paddock-shard={text}", files=GREEN)
        assert result.code == 4
        assert f"--paddock-shard is '{text}'; expected a shard such as 2/4, from 1/4 to 4/4." in result.err


FREE = {"cores": 2, "memory": 8 << 30}


def test_auto_takes_as_many_workers_as_are_free(run: Run) -> None:
    """The number is the engine's, told with its reason; --maxprocesses bounds it, and workers know it."""
    text = "import os\ndef test(): assert os.environ['PYTEST_XDIST_WORKER_COUNT'] == '2'\n"
    result = run("-n", "auto", *NO_HISTORY, files={"test_a.py": text}, faults={"room": FREE})
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    why = "2 cores are free, one for each until a run has measured what a worker uses (there would be room for 8)"
    assert f"2 workers: {why}" in result.out.replace("paddock: -n auto: ", "")
    assert "2 workers, PYTHONHASHSEED" in result.out
    bounded = run("-n", "auto", "--maxprocesses=1", *NO_HISTORY, "-k", "nothing", faults={"room": FREE})
    assert "paddock: -n auto: 1 of 2 workers, which --maxprocesses allows; 2 cores are free" in bounded.out


def test_auto_knows_what_workers_used_before(run: Run) -> None:
    """A first run measures workers that mostly wait; the next one has more of them, as far as tests are worth it."""
    text = "import time, pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n): time.sleep(2.5)\n"
    first = run("-n4", files={"test_n.py": text})
    assert first.code == 0, first
    times = dict(json.loads(line) for line in history_of(first).read_text().split("\n")[1:] if line)
    assert 0 <= times["::worker cores"][0][1] < 0.5, times
    assert 5 < times["::worker MiB"][0][1] < 1000, times
    second = run("-n", "auto", faults={"room": {"cores": 2, "memory": 16 << 30}})
    assert (second.code, second.counts) == (0, {"passed": 4}), second
    assert "paddock: -n auto: 4 workers: more would not end sooner, by the 4 units of tests known so far" in second.out
    only = run("-n", "auto", "test_n.py::test_n[1]", faults={"room": {"cores": 2, "memory": 16 << 30}})
    assert "paddock: -n auto: 1 worker: more would not end sooner, by the 1 unit of tests known" in only.out, only


def test_auto_leaves_the_number_to_who_gives_one(run: Run) -> None:
    """A hook of the user's own, then xdist's variable; where the cluster does not tell, this machine's processors."""
    hook = "def pytest_xdist_auto_num_workers(config): return 3\n"
    mine = run("-n", "auto", files={**GREEN, "conftest.py": hook}, faults={"room": {"unknown": "nobody asks"}})
    assert (mine.code, mine.counts) == (0, {"passed": 6}), mine
    assert "3 workers, PYTHONHASHSEED" in mine.out
    assert "-n auto:" not in mine.out
    files = {"conftest.py": "\n"}
    given = run("-n", "auto", files=files, environment={"PYTEST_XDIST_AUTO_NUM_WORKERS": "1"})
    assert "1 workers, PYTHONHASHSEED" in given.out
    assert "-n auto:" not in given.out
    blind = run("-n", "auto", "--maxprocesses=1", faults={"room": {"unknown": "The account may not list nodes."}})
    assert blind.code == 0, blind
    assert (
        "paddock: -n auto: as many workers as this machine has processors, since the account may not list nodes."
        in blind.out
    )


def calls(result: Result, *names: str) -> list[dict[str, Any]]:
    """Return what the engine was asked, by the names of the calls, in the project's last run."""
    lines = [json.loads(line) for line in (result.folder / "../engine.jsonl").read_text().splitlines()]
    last = max(position for position, line in enumerate(lines) if line["call"] == "create")
    return [line for line in lines[last:] if line["call"] in names]


THREE = {
    "test_three.py": """
        import os, time, pytest
        @pytest.mark.parametrize("n", range(3))
        def test_n(n):
            assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "6"
            time.sleep(2)
    """
}


def test_no_more_workers_than_tests(run: Run) -> None:
    """Whoever still comes when the tests are known goes back, and the next run makes no more to begin with.

    Plugins see the number that -n says.
    """
    first = run("-n6", files=THREE, faults={f"gw{number}": {"after": 50} for number in range(2, 6)})
    assert (first.code, first.counts) == (0, {"passed": 3}), first
    assert {call["worker"] for call in calls(first, "give_back")} >= {"gw3", "gw4", "gw5"}
    second = run("-n6")
    assert (second.code, second.counts) == (0, {"passed": 3}), second
    assert "paddock: 3 of 6 workers are made: earlier runs know no more that could run at once;" in second.out
    assert calls(second, "begin")[0]["workers"] == ["gw0", "gw1", "gw2"]
    assert {call["worker"] for call in calls(second, "open")} == {"gw0", "gw1", "gw2"}
    assert second.last_line == "paddock: namespaces: created 3, deleted 3, left 0"


def test_a_failed_test_is_run_again_by_one_worker(run: Run) -> None:
    """--lf with one failed test makes one namespace, whatever -n says."""
    files = {"test_n.py": "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_n(n): assert n != 4\n"}
    assert run("-n3", files=files).code == 1
    again = run("-n3", "--lf")
    assert (again.code, again.counts) == (1, {"failed": 1}), again
    assert calls(again, "begin")[0]["workers"] == ["gw0"]


def test_more_workers_are_asked_for_where_there_is_more_to_do(run: Run) -> None:
    """Tests that no run has measured: the reserve comes late, and gets its part of them."""
    text = "import pytest, time\n@pytest.mark.parametrize('n', range({}))\ndef test_n(n): time.sleep(2)\n"
    assert run("-n2", files={"test_n.py": text.format(1)}).code == 0
    more = run("-n2", "-v", files={"test_n.py": text.format(16)})
    assert (more.code, more.counts) == (0, {"passed": 16}), more
    assert calls(more, "begin")[0]["workers"] == ["gw0"]
    assert {worker for worker, _ in more.ran} == {"gw0", "gw1"}


def test_a_worker_without_further_work_goes_back_at_once(run: Run) -> None:
    """Its place is given back while the other one still runs its last test; not if a test has failed there."""
    text = "import time\ndef test_short(): assert {}\ndef test_long(): time.sleep(6)\n"
    for holds in (True, False):
        result = run("-n2", "-v", *NO_HISTORY, files={"test_n.py": text.format(holds)})
        assert result.code == int(not holds), result
        workers = {node_id: worker for worker, node_id in result.ran}
        if len(set(workers.values())) == 1:  # the other one came so late that both were begun by then
            continue
        given = [(call["worker"], call["code"]) for call in calls(result, "give_back")]
        assert given == ([(workers["test_n.py::test_short"], 0)] if holds else []), result


def test_a_reserve_does_not_keep_a_run_alive(run: Run) -> None:
    """Nobody of those asked for comes: exit code 3, as without a reserve."""
    run("-n1", files={"test_n.py": "def test(): pass\n"})
    result = run("-n4", faults={"gw0": {"never": "no node has room"}})
    assert result.code == 3, result
    assert "No worker is left to run tests." in result.out
