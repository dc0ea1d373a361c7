from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.plugin.cases import GREEN
from tests.contract.plugin.running import Interrupt

if TYPE_CHECKING:
    from tests.contract.plugin.running import Run


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ((), "--paddock needs a number of workers above zero: add -n, as in 'pytest --paddock -n 4'."),
        (("-n0",), "--paddock needs a number of workers above zero: add -n, as in 'pytest --paddock -n 4'."),
        (
            ("-n2", "--dist", "each"),
            "--paddock cannot be combined with --dist each, since all workers are alike: choose another --dist.",
        ),
        (
            ("-n2", "-p", "no:xdist"),
            "--paddock needs pytest-xdist, which is not loaded: drop '-p no:xdist' or install pytest-xdist.",
        ),
        (
            ("-n2", "--pdb"),
            (
                "--paddock with --pdb needs --paddock-engine=local, since no terminal reaches a pod: add it, "
                "or drop --pdb."
            ),
        ),
        (
            ("-n2", "--paddock-engine=local", "--pdb"),
            "--pdb needs the tests in pytest's own process: run without workers, with -n 0.",
        ),
        (
            ("-n2", "--looponfail"),
            "--paddock cannot be combined with --looponfail, which pytest-xdist gives up: drop it.",
        ),
        (
            ("-n2", "--paddock-kubeconfig", "/etc"),
            (
                "--paddock-kubeconfig and its path in two words would move pytest's rootdir: "
                "write --paddock-kubeconfig=PATH."
            ),
        ),
        (
            ("-n2", "--paddock-engine=local", "--paddock-context=kind-a"),
            (
                "--paddock-engine=local takes no --paddock-context and no --paddock-kubeconfig, having no cluster: "
                "drop one."
            ),
        ),
        (
            ("-n2", "--paddock-worker-memroy=1Gi"),
            "The option --paddock-worker-memroy does not exist. Did you mean --paddock-worker-memory?",
        ),
        (("-n2", "--paddock-engine=docker"), "--paddock-engine is 'docker'; expected one of kubernetes, local, auto."),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_and_exit_code_4(run: Run, args: tuple[str, ...], sentence: str) -> None:
    """Nothing is made, nothing else is said, and there is no traceback."""
    result = run(*args, files=GREEN)
    assert result.code == 4, result
    assert [line for line in result.err.splitlines() if line] == [f"ERROR: {sentence}"]
    assert not (result.folder.parent / "engine.jsonl").exists()


def test_a_mistake_in_pyproject_names_the_key(run: Run) -> None:
    """A key that does not exist is told with the nearest that does."""
    result = run("-n2", files={**GREEN, "pyproject.toml": "[tool.paddock]\nworker_memory = '1Gi'\n"})
    assert result.code == 4
    assert "unknown key 'worker_memory'. Did you mean 'worker-memory'?" in result.err


def test_a_flag_of_ours_without_the_one_that_counts_is_refused(run: Run) -> None:
    """A run that forgot --paddock must not be green without namespaces; PADDOCK=0 says that it is meant."""
    result = run("-n2", "--paddock-grace=5", files=GREEN, paddock=False)
    assert result.code == 4
    assert result.err.strip() == (
        "ERROR: --paddock-grace does nothing without --paddock: add it, or drop --paddock-grace."
    )
    meant = run("--paddock-grace=5", files=GREEN, environment={"PADDOCK": "0"}, paddock=False)
    assert meant.code == 0, meant


def test_a_mistake_in_pyproject_names_file_and_line(run: Run) -> None:
    """An editor opens it there."""
    result = run("-n2", files={**GREEN, "pyproject.toml": "[project]\nname='x'\n[tool.paddock]\ngrace = 'soon'\n"})
    assert result.code == 4
    assert f"ERROR: 'grace' in [tool.paddock] of {result.folder}/pyproject.toml:4 is 'soon'; expected" in result.err


def test_what_only_the_cluster_can_refuse_is_a_mistake_too(run: Run) -> None:
    """It comes out after the beginning: told once and not for each worker, exit code 4, everything given back."""
    faults = {worker: {"mistake": "The API server refuses it."} for worker in ("gw0", "gw1")}
    result = run("-n2", files=GREEN, faults=faults)
    assert result.code == 4, result
    assert [line for line in result.err.splitlines() if line] == ["ERROR: The API server refuses it."]
    assert "never came" not in result.out
    assert "infrastructure" not in result.out


def test_a_usage_error_after_the_beginning_comes_before_the_account(run: Run) -> None:
    """Another plugin's complaint: exit code 4, everything given back, the account last."""
    text = "import pytest\ndef pytest_sessionstart(session):\n    raise pytest.UsageError('not like this')\n"
    result = run("-n2", files={**GREEN, "conftest.py": text})
    assert result.code == 4, result
    assert "ERROR: not like this" in result.err
    assert result.last_line == "paddock: namespaces: created 2, deleted 2, left 0"


def test_the_variable_switches_it_on(run: Run) -> None:
    """PADDOCK=1 is --paddock, and does not switch on a run inside a worker."""
    text = "import os\ndef test_e(): assert 'PADDOCK' not in os.environ\n"
    engine = ("-p", "subprocess_engine", "-n1")
    result = run(*engine, files={"test_e.py": text}, environment={"PADDOCK": "1"}, paddock=False)
    assert result.code == 0, result
    assert result.last_line == "paddock: namespaces: created 1, deleted 1, left 0"


def test_nothing_of_ours_is_loaded_without_the_flag(run: Run) -> None:
    """A pytest run that does not want Paddock pays for a table of options and no more."""
    text = """
        import sys
        def test_modules():
            ours = {name.partition("paddock.")[2] for name in sys.modules if name.startswith("paddock.")}
            heavy = {"plugin.session", "plugin.controller", "plugin.xdist_seam", "settings.resolution", "scheduling"}
            assert not ours & (heavy | {"engines", "cluster", "node", "workers", "namespaces"}), ours
            assert "kubernetes" not in sys.modules
    """
    assert run("-p", "no:xdist", files={"test_m.py": text}, paddock=False).code == 0


def test_an_interrupted_interrupt_ends_at_once(run: Run) -> None:
    """A second Ctrl-C does not wait for a fixture that does not end; the account comes all the same."""
    text = """
        import sys, threading, pytest
        @pytest.fixture
        def stubborn():
            yield
            print("teardown begins", file=sys.stderr, flush=True)
            threading.Event().wait(60)
        def test_long(stubborn):
            print("now it waits", file=sys.stderr, flush=True)
            threading.Event().wait(60)
    """
    stops = [Interrupt("[gw0] now it waits"), Interrupt("[gw0] teardown begins")]
    result = run("-n1", "-s", "--paddock-grace=50", files={"test_i.py": text}, interrupts=stops)
    assert result.code == 2, result
    assert "interrupted again: workers are ended without tearing down" in result.out
    assert result.last_line == "paddock: interrupted twice; namespaces: created 1, deleted 1, left 0"
    assert result.seconds < 30


def test_grace_ends_a_stubborn_teardown(run: Run) -> None:
    """After the grace a worker is killed, however long its fixtures would take."""
    text = """
        import sys, threading, pytest
        @pytest.fixture
        def stubborn():
            yield
            threading.Event().wait(60)
        def test_long(stubborn):
            print("now it waits", file=sys.stderr, flush=True)
            threading.Event().wait(60)
    """
    stops = [Interrupt("[gw0] now it waits")]
    result = run("-n1", "-s", "--paddock-grace=0.5", files={"test_i.py": text}, interrupts=stops)
    assert result.code == 2, result
    assert result.seconds < 20
