"""What every engine must keep of pytest: options, verdicts, reports and exit codes mean what they mean without it.

Each case is a function of a ``Run``; the engine behind it is the caller's, so the same list judges all engines.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, TypeVar
from xml.etree import ElementTree as ET

from coverage import CoverageData

from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.plugin.running import Result, Run

    Case = Callable[[Run], None]

C = TypeVar("C", bound="Case")

CASES: list[Case] = []
DISTRIBUTIONS = ("load", "loadscope", "loadfile", "loadgroup", "worksteal")
SIX = {"test_six.py": "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): assert n != 3\n"}
GREEN = {"test_green.py": "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): pass\n"}
THREE_FILES = {
    f"test_{name}.py": f"""
        import pytest
        @pytest.mark.parametrize("n", range(4))
        @pytest.mark.xdist_group("{name}")
        def test_n(n): pass
    """
    for name in "abc"
}
CRASH = {
    "test_a_crash.py": """
        import os, pytest
        @pytest.mark.parametrize("n", range(6))
        def test_n(n):
            if n == 2:
                os._exit(9)
    """,
    **GREEN,
}


def case(function: C) -> C:
    """Add a case to the list."""
    CASES.append(function)
    return function


@case
def all_tests_pass(run: Run) -> None:
    """Exit code 0, one report a test, and the account as the last line."""
    result = run("-n2", files=GREEN)
    assert (result.code, result.counts) == (0, {"passed": 6}), result
    assert result.account == "created 2, deleted 2, left 0"


@case
def a_failure_is_exit_code_1(run: Run) -> None:
    """A failing test is a failing test, with its assertion explained."""
    result = run("-n2", files=SIX)
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 5}), result
    assert "assert 3 != 3" in result.out


@case
def the_header_names_run_engine_workers_and_seed(run: Run) -> None:
    """A person can find the run in the cluster and repeat it."""
    result = run("-n2", "--paddock-run-id=k7x2mq", files=GREEN, environment={"PYTHONHASHSEED": "77"})
    assert re.search(r"^paddock: run k7x2mq, engine \w+, 2 workers, PYTHONHASHSEED=77$", result.out, re.MULTILINE)


@case
def all_workers_share_a_hash_seed(run: Run) -> None:
    """Parameters out of a set have the same order in every worker."""
    text = "import pytest\n@pytest.mark.parametrize('s', {c * 2 for c in 'abcdefghij'})\ndef test_s(s): pass\n"
    result = run("-n3", files={"test_set.py": text})
    assert (result.code, result.counts) == (0, {"passed": 10}), result


@case
def a_keyword_selects(run: Run) -> None:
    """-k selects in the workers."""
    assert run("-n2", "-k", "n and not 3", files=SIX).counts == {"passed": 5}


@case
def a_marker_selects(run: Run) -> None:
    """-m selects in the workers."""
    text = "import pytest\n@pytest.mark.slow\ndef test_slow(): pass\ndef test_fast(): assert 0\n"
    files = {"test_m.py": text, "pytest.ini": "[pytest]\nmarkers = slow\n"}
    assert run("-n2", "-m", "slow", files=files).counts == {"passed": 1}


@case
def node_ids_select(run: Run) -> None:
    """Node ids and absolute paths mean the same files in the workers."""
    result = run("-n2", "test_six.py::test_n[1]", "test_six.py::test_n[4]", files=SIX)
    assert result.counts == {"passed": 2}
    assert run("-n1", f"{result.folder}/test_six.py::test_n[5]").counts == {"passed": 1}


@case
def a_missing_path_is_a_usage_error(run: Run) -> None:
    """A path that is not there ends the run before anything is made."""
    result = run("-n2", "nowhere.py", files=GREEN)
    assert result.code == 4
    assert "nowhere.py was not found" in result.err
    assert not result.accounts


@case
def x_stops_at_the_first_failure(run: Run) -> None:
    """-x ends as under xdist alone: exit code 2, and tests left out on purpose are no infrastructure failure."""
    text = "import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_n(n): assert n != 0\n"
    result = run("-n1", "-x", files={"test_x.py": text})
    assert result.code == 2, result
    assert result.counts["failed"] == 1
    assert "never ran" not in result.out
    assert result.account


@case
def maxfail_counts_over_all_workers(run: Run) -> None:
    """--maxfail=2 stops after two failures, wherever they were."""
    text = "import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_n(n): assert 0\n"
    result = run("-n2", "--maxfail=2", files={"test_x.py": text})
    assert result.code == 2
    assert "stopping after 2 failures" in result.out
    assert result.counts["failed"] < 40


@case
def lf_runs_what_failed_last(run: Run) -> None:
    """--lf chooses by the controller's cache, which the workers get."""
    run("-n2", files=SIX)
    result = run("-n2", "--lf", "-v")
    assert [node_id for _, node_id in result.ran] == ["test_six.py::test_n[3]"], result


@case
def ff_runs_what_failed_last_first(run: Run) -> None:
    """--ff keeps all tests and changes their order."""
    run("-n1", files=SIX)
    ran = [node_id for _, node_id in run("-n1", "--ff", "-v").ran]
    assert ran[0] == "test_six.py::test_n[3]"
    assert len(ran) == 6


@case
def nf_runs_new_tests_first(run: Run) -> None:
    """--nf knows the tests of earlier runs."""
    run("--nf", files=GREEN, paddock=False)
    ran = run("-n1", "--nf", "-v", files={"test_zzz_new.py": "def test_new(): pass\n"}).ran
    assert ran[0][1] == "test_zzz_new.py::test_new"


@case
def sw_goes_on_where_it_stopped(run: Run) -> None:
    """--sw leaves out what passed before the failure."""
    run("-n1", "--sw", files=SIX)
    ran = run("-n1", "--sw", "-v").ran
    assert ran[0][1] == "test_six.py::test_n[3]"


@case
def junitxml_holds_every_test(run: Run) -> None:
    """The controller writes the XML report from the workers' reports."""
    result = run("-n2", "--junitxml=report.xml", files=SIX)
    suite = ET.parse(result.folder / "report.xml").getroot()[0]  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "1", "0")


COVERED = {
    "app.py": "def double(n):\n    if n:\n        return n * 2\n    return 0\n",
    "test_app.py": "import app\ndef test_0(): assert app.double(0) == 0\ndef test_1(): assert app.double(1) == 2\n",
}


@case
def coverage_is_measured_in_the_workers(run: Run) -> None:
    """--cov reports what ran elsewhere, under the same paths, on the terminal and as XML."""
    result = run("-n2", "--cov=app", "--cov-branch", "--cov-report=term", "--cov-report=xml", files=COVERED)
    assert result.code == 0, result
    assert result.coverage == "100%", result
    assert 'line-rate="1"' in (result.folder / "coverage.xml").read_text(encoding="utf-8")


@case
def coverage_finds_a_data_file_elsewhere(run: Run) -> None:
    """[run] data_file and COVERAGE_FILE do not lose the workers' data."""
    rc = {".coveragerc": "[run]\ndata_file = data/coverage.db\n", "data/keep": ""}
    assert run("-n2", "--cov=app", files={**COVERED, **rc}).coverage == "100%"
    environment = {"COVERAGE_FILE": "other.db"}
    assert run("-n2", "--cov=app", files={".coveragerc": ""}, environment=environment).coverage == "100%"


@case
def coverage_is_that_of_a_serial_run(run: Run) -> None:
    """Lines, branches and the tests that reached them, by the same paths."""
    arguments = ["--cov=app", "--cov-branch", "--cov-context=test"]
    facts = [
        coverage_facts(run(*ours, *arguments, files=COVERED, paddock=bool(ours)).folder / ".coverage")
        for ours in ([], ["-n2"])
    ]
    assert facts[0] == facts[1]
    assert any("test_app.py::test_1|run" in contexts for _, _, lines in facts[0] for contexts in lines.values()), facts[
        0
    ]


def coverage_facts(path: Path) -> list[tuple[str, list[tuple[int, int]], dict[int, list[str]]]]:
    """Return each measured file with its branches and the contexts of its lines."""
    data = CoverageData(basename=str(path))
    data.read()
    found = []
    for name in sorted(data.measured_files()):
        contexts = {line: sorted(each) for line, each in data.contexts_by_lineno(name).items()}
        found.append((name, sorted(data.arcs(name) or []), contexts))
    data.close()
    return found


@case
def every_distribution_runs_every_test_once(run: Run) -> None:
    """All of xdist's modes but ``each`` run each test exactly once."""
    for mode in DISTRIBUTIONS:
        result = run("-n2", "--dist", mode, "-v", files=THREE_FILES)
        assert (result.code, result.counts) == (0, {"passed": 12}), (mode, result)
        assert len({node_id for _, node_id in result.ran}) == 12, (mode, result)


@case
def tests_that_belong_together_stay_together(run: Run) -> None:
    """Loadfile keeps a file, loadgroup a group on one worker."""
    for mode in ("loadfile", "loadgroup", "loadscope"):
        ran = run("-n2", "--dist", mode, "-v", files=THREE_FILES).ran
        places = {(node_id.split("::")[0], worker) for worker, node_id in ran}
        assert len(places) == 3, (mode, ran)


@case
def a_crash_is_one_failure(run: Run, mode: str = "load") -> None:
    """A worker that dies fails the test it ran, once, with the cause; a fresh worker does the rest."""
    result = run("-n2", "--dist", mode, files=CRASH)
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 11}), (mode, result)
    assert result.out.count("crashed while running 'test_a_crash.py::test_n[2]'\n") == 1, (mode, result)
    assert "exited with code 9" in result.out, (mode, result)
    assert "created 3, deleted 3, left 0" in result.last_line, (mode, result)


@case
def the_only_worker_is_replaced(run: Run, mode: str = "load") -> None:
    """After a crash of the only worker, units that are complete do not keep the fresh one from the others."""
    result = run("-n1", "--dist", mode, files={"test_0_first.py": "def test_first(): pass\n", **CRASH})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 12}), (mode, result)


@case
def tests_lost_with_their_workers_are_named(run: Run) -> None:
    """Without restarts a crash leaves tests that never ran: exit code 3, and each of them by its node id."""
    result = run("-n1", "--max-worker-restart=0", files=CRASH)
    assert result.code == 3, result
    assert "9 of 12 collected tests never ran:" in result.out, result
    assert "paddock:   test_a_crash.py::test_n[3]" in result.out


@case
def a_collection_error_is_told(run: Run) -> None:
    """As under xdist: the other files' tests run, exit code 1."""
    result = run("-n2", files={**GREEN, "test_broken.py": "import nowhere_to_be_found\n"})
    assert result.code == 1, result
    assert result.counts == {"passed": 6, "error": 1}
    assert "No module named 'nowhere_to_be_found'" in result.out


@case
def no_tests_is_exit_code_5(run: Run) -> None:
    """Nothing selected is neither success nor failure."""
    result = run("-n2", "-k", "nothing_is_called_so", files=GREEN)
    assert result.code == 5, result
    assert result.account


@case
def different_collections_are_named(run: Run) -> None:
    """A worker that collects other tests is told apart; the first one's tests all run, and the run is not green."""
    # As many as two workers could share: the other one is waited for, and comes in time where it is late.
    text = """
import os, pytest, time
@pytest.mark.parametrize('w', [os.environ['PYTEST_XDIST_WORKER']])
@pytest.mark.parametrize('n', range(30))
def test_w(w, n): time.sleep(0.1)
"""
    result = run("-n2", files={"test_w.py": text})
    assert result.code == 1, result
    assert result.counts == {"passed": 30, "error": 1}
    assert "Different tests were collected between" in result.out


@case
def an_internal_error_is_exit_code_3(run: Run) -> None:
    """A plugin that breaks pytest in the controller: INTERNALERROR, and everything is given back."""
    text = "def pytest_runtest_logreport(report):\n    assert hasattr(report, 'node') is False\n"
    result = run("-n2", files={**GREEN, "conftest.py": text})
    assert result.code == 3, result
    assert "INTERNALERROR" in result.out + result.err
    assert result.account


@case
def an_internal_error_in_a_worker_is_exit_code_3(run: Run) -> None:
    """A plugin that breaks pytest in a worker ends the run, with its text once and the tests that never ran."""
    text = """
        def pytest_runtest_protocol(item):
            if item.nodeid == "test_green.py::test_n[3]":
                raise RuntimeError("the plugin broke")
    """
    result = run("-n2", "--dist=loadfile", files={**GREEN, **THREE_FILES, "conftest.py": text})
    assert result.code == 3, result
    assert result.out.count("RuntimeError: the plugin broke\n") == 1, result
    assert "Unexpectedly no active workers" not in result.out, result
    assert "paddock:   test_green.py::test_n[3]\n" in result.out, result
    assert result.account


@case
def a_worker_that_cannot_begin_is_told_once(run: Run) -> None:
    """A plugin that breaks all workers at their start: the reason once, exit code 3, no restarts."""
    text = "def pytest_configure(config):\n    assert not hasattr(config, 'workerinput'), 'no worker here'\n"
    result = run("-n2", files={**GREEN, "conftest.py": text})
    assert result.code == 3, result
    assert re.search(r"paddock: workers gw\d, gw\d never came: ", result.out), result
    assert result.out.count("no worker here\n") <= 2, result  # the line of the conftest, and that of the error
    assert "created 2, deleted 2, left 0" in result.last_line


@case
def a_worker_that_dies_at_its_start_is_not_replaced(run: Run) -> None:
    """A process that ends before it collects would end again and again: the cause once, exit code 3, no restarts."""
    text = "import os\ndef pytest_sessionstart():\n    'PYTEST_XDIST_WORKER' in os.environ and os._exit(7)\n"
    result = run("-n2", files={**GREEN, "conftest.py": text})
    assert result.code == 3, result
    assert re.search(r"paddock: workers gw\d, gw\d never came: Its process exited with code 7\.", result.out), result
    assert result.out.count("exited with code 7") == 1, result
    assert "created 2, deleted 2, left 0" in result.last_line


@case
def output_of_workers_is_relayed(run: Run) -> None:
    """With -s what a worker prints comes line by line, with the worker's name: more than under stock xdist."""
    text = "import sys\ndef test_e():\n    print('hello out there')\n    print('and again', file=sys.stderr)\n"
    lines = run("-n1", "-s", files={"test_e.py": text}).err.splitlines()
    assert lines.index("[gw0] hello out there") < lines.index("[gw0] and again")


@case
def environment_travels_by_name(run: Run) -> None:
    """PYTEST_ADDOPTS and the variables named travel, others do not; pyproject.toml can name them too."""
    text = "import os\ndef test_e(): assert (os.environ.get('WITH'), os.environ.get('WITHOUT')) == ('1', None)\n"
    files = {"test_e.py": text, "pyproject.toml": "[tool.paddock]\nenv = ['WITH']\n"}
    environment = {"WITH": "1", "WITHOUT": "1", "PYTEST_ADDOPTS": "-k test_e"}
    result = run("-n1", files={**files, **GREEN}, environment=environment)
    assert (result.code, result.counts) == (0, {"passed": 1}), result


UNSENT = {
    ".gitignore": "data/\n_version.py\n",
    "data/model.txt": "weights",
    "pkg/__init__.py": "",
    "pkg/_version.py": "VERSION = 1\n",
    "test_data.py": """
        import pathlib
        def test_model(): assert pathlib.Path("data/model.txt").read_text() == "weights"
        def test_version(): from pkg import _version
        def test_git(): assert not pathlib.Path(".git").exists()
    """,
}


def _with_git(run: Run, *args: str, files: dict[str, str]) -> Result:
    """Run where git knows the project: an empty folder called ``.git`` is none, and git would look further up."""
    run("--collect-only", "-q", files=files, paddock=False)
    folder = run("--collect-only", "-q", paddock=False).folder
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    try:
        return run(*args)
    finally:
        shutil.rmtree(folder / ".git")


@case
def a_missed_file_that_was_not_sent_is_named(run: Run) -> None:
    """Tests that need what git ignores fail, and say how to send it."""
    result = _with_git(run, "-n1", files=UNSENT)
    assert (result.code, result.counts) == (1, {"failed": 2, "passed": 1}), result
    assert "The workers were not sent data/model.txt, which this machine has" in result.out, result
    assert "To send it: --paddock-include=pkg/_version.py" in result.out, result


@case
def ignored_files_can_be_included(run: Run) -> None:
    """Data and generated modules, by pattern."""
    files = {**UNSENT, "pyproject.toml": "[tool.paddock]\ninclude = ['data', '**/_version.py']\n"}
    result = _with_git(run, "-n1", files=files)
    assert (result.code, result.counts) == (0, {"passed": 3}), result


@case
def files_can_be_excluded(run: Run) -> None:
    """What is tracked or new is left out where that is asked for; the run's header tells what else is sent."""
    files = {"data/a.txt": "", "test_e.py": "import os\ndef test_e(): assert not os.path.exists('data')\n"}
    assert run("-n1", "--paddock-exclude=data", files=files).counts == {"passed": 1}


@case
def executable_bits_and_links_travel(run: Run) -> None:
    """Programs run, and links are links: absolute, broken, out of the project."""
    text = """
        import os, subprocess
        def test_program(): assert subprocess.check_output("./tool") == b"ran\\n"
        def test_plain(): assert not os.access("plain", os.X_OK)
        def test_links(): assert [os.readlink(n) for n in ("a", "b", "c")] == ["/etc/hostname", "no/where", "../file"]
    """
    folder = run("--collect-only", "-q", files={"test_l.py": text, "plain": "", "tool": ""}, paddock=False).folder
    (folder / "tool").write_text("#!/bin/sh\necho ran\n")
    (folder / "tool").chmod(0o755)
    for name, target in (("a", "/etc/hostname"), ("b", "no/where"), ("c", "../file")):
        (folder / name).symlink_to(target)
    result = run("-n1")
    assert (result.code, result.counts) == (0, {"passed": 3}), result


@case
def too_large_sources_are_a_usage_error(run: Run) -> None:
    """One sentence with size and largest folders, before anything is made."""
    result = run("-n1", "--paddock-sources-size=1k", files={**GREEN, "models/m.bin": "x" * 2000})
    assert result.code == 4, result
    assert "more than the 0 MiB allowed" in result.err, result
    assert "/models (0 MiB)" in result.err, result
    assert not result.accounts, result


@case
def temporary_folders_and_the_cache_work(run: Run) -> None:
    """tmp_path and config.cache work where the controller's folders are missing."""
    text = "def test_t(tmp_path, pytestconfig):\n    (tmp_path / 'f').touch()\n    pytestconfig.cache.set('a/b', 1)\n"
    assert run("-n1", files={"test_t.py": text}).counts == {"passed": 1}


@case
def no_cache_and_no_terminal_are_allowed(run: Run) -> None:
    """Built-in plugins can be switched off; the account comes all the same."""
    result = run("-n1", "-p", "no:cacheprovider", "-p", "no:terminal", files=GREEN)
    assert result.code == 0, result
    assert (result.out, result.account) == (f"{result.last_line}\n", "created 1, deleted 1, left 0")


INTERRUPTED = {
    "test_i.py": """
        import sys, threading, pytest
        @pytest.fixture
        def torn():
            yield
            print("fixture torn down", file=sys.stderr, flush=True)
        def test_long(torn):
            print("now it waits", file=sys.stderr, flush=True)
            threading.Event().wait(60)
        def test_next(): pass
    """,
}


def _ends_torn_down(run: Run, number: signal.Signals) -> None:
    result = run("-n1", "-s", files=INTERRUPTED, interrupts=[Interrupt("[gw0] now it waits", number)])
    assert result.code == 2, result
    assert "[gw0] fixture torn down" in result.err, result
    assert "never ran" not in result.out
    assert result.account == "created 1, deleted 1, left 0"
    assert result.seconds < 45, result  # the test itself would wait for 60


@case
def an_interrupt_tears_fixtures_down(run: Run) -> None:
    """Ctrl-C: fixtures tear down in the workers, everything is given back, exit code 2."""
    _ends_torn_down(run, signal.SIGINT)


@case
def a_termination_is_an_interrupt(run: Run) -> None:
    """SIGTERM, as from a CI system, does what Ctrl-C does."""
    _ends_torn_down(run, signal.SIGTERM)


@case
def what_only_informs_makes_no_namespaces(run: Run) -> None:
    """--collect-only and --fixtures print without a cluster."""
    for option in ("--collect-only", "--fixtures", "--markers"):
        result = run("-n2", option, files=GREEN)
        assert result.code == 0, (option, result)
        assert not result.accounts
