"""Well-known plugins of pytest in namespaces: what they do under stock xdist.

They stand in an environment of their own: some of them change every run of pytest, ours too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.plugin import examples
from tests.contract.plugin.option_cases import summary
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.plugin.running import Result

    Both = Callable[..., tuple[Result, Result]]

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("embedded_node")]

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = (
    *("pytest-asyncio", "pytest-benchmark", "pytest-cov", "pytest-forked", "pytest-html", "pytest-mock"),
    *("pytest-randomly", "pytest-rerunfailures", "pytest-timeout", "hypothesis"),
)
LIMIT = 180.0


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with Paddock and the plugins."""
    place = tmp_path_factory.mktemp("plugins") / "venv"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    for command in (["venv", str(place)], ["pip", "install", "--python", str(place), str(ROOT), *PLUGINS]):
        subprocess.run([*uv, *command], check=True)
    return str(place / "bin" / "python")


@pytest.fixture
def both(python: str, tmp_path: Path) -> Both:
    """Runs pytest in a project folder with namespaces and with stock xdist."""
    project = tmp_path / "project"
    project.mkdir()

    def run(*args: str, files: dict[str, str]) -> tuple[Result, Result]:
        write(project, files)
        ways = (["--paddock", "-n2"], ["-n2"])
        found = [run_pytest([*way, *args], project, clean_environment(), python=python, limit=LIMIT) for way in ways]
        return found[0], found[1]

    return run


MANY = {
    "test_asyncio.py": """
        import asyncio, pytest
        @pytest.mark.asyncio
        async def test_waits():
            await asyncio.sleep(0)
    """,
    "test_mock.py": """
        import os
        def test_mocks(mocker):
            mocker.patch("os.getcwd", return_value="/mocked")
            assert os.getcwd() == "/mocked"
    """,
    "test_again.py": """
        import itertools
        calls = itertools.count()
        def test_second_time(): assert next(calls) == 1
        def test_never(): assert 0
    """,
    "test_benchmark.py": "def test_quick(benchmark): benchmark(lambda: 1)\n",
    "test_properties.py": """
        from hypothesis import given, strategies
        @given(strategies.integers())
        def test_any(n): assert n == n
    """,
    "test_slow.py": """
        import pytest, threading
        @pytest.mark.flaky(reruns=0)
        @pytest.mark.timeout(0.2)
        def test_hangs(): threading.Event().wait(60)
    """,
}


def test_plugins_do_what_they_do_under_stock_xdist(both: Both) -> None:
    """Asynchronous tests, mocks, reruns, timeouts, a report in HTML, a random order with one seed for all workers."""
    report = ["--html=report.html", "--self-contained-html"]
    ours, stock = both("-rA", "--reruns=1", "-p", "randomly", "--randomly-seed=7", *report, files=MANY)
    assert "Using --randomly-seed=7" in ours.out
    assert "2 rerun" in stock.out
    assert "2 rerun" in ours.out
    assert (ours.code, ours.counts, summary(ours)) == (stock.code, stock.counts, summary(stock)), (ours, stock)
    html = (ours.folder / "report.html").read_text(encoding="utf-8")
    assert "test_waits" in html
    assert "Timeout" in html


EXAMPLES = {
    ".gitignore": ".hypothesis/\n",
    "conftest.py": """
        import hypothesis
        hypothesis.settings.register_profile("reuse", phases=[hypothesis.Phase.reuse])
    """,
    "test_found.py": """
        from pathlib import Path
        from hypothesis import given, strategies
        @given(strategies.integers())
        def test_small(n): assert n < 1000 or Path("mended").exists()
    """,
}


def test_hypothesis_remembers_what_failed(python: str, tmp_path: Path) -> None:
    """An example found in one run fails the next one without a search; those that pass are deleted, as locally."""
    project = tmp_path / "project"
    project.mkdir()
    folder = project / examples.FOLDER

    def run(*args: str, files: dict[str, str]) -> Result:
        write(project, files)
        subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
        return run_pytest(["--paddock", "-n1", *args], project, clean_environment(), python=python, limit=LIMIT)

    nothing = run("--hypothesis-profile=reuse", files=EXAMPLES)
    assert (nothing.code, nothing.counts) == (0, {"skipped": 1}), nothing
    assert run(files=EXAMPLES).counts == {"failed": 1}
    found = examples.listed(folder)
    assert found
    again = run("--hypothesis-profile=reuse", files=EXAMPLES)
    assert (again.code, again.counts) == (1, {"failed": 1}), again
    mended = run(files={**EXAMPLES, "mended": ""})
    assert (mended.code, mended.counts) == (0, {"passed": 1}), mended
    assert examples.listed(folder) < found


def test_forked_tests_may_crash(both: Both) -> None:
    """With --forked a crash is a failure of its test, and the worker goes on."""
    text = "import os\ndef test_dies(): os.kill(os.getpid(), 9)\ndef test_lives(): pass\n"
    ours, stock = both("-rA", "--forked", files={"test_f.py": text})
    assert "CRASHED with signal 9" in ours.out, ours
    assert (ours.code, ours.counts, summary(ours)) == (stock.code, stock.counts, summary(stock)), (ours, stock)


def test_benchmarks_are_refused_clearly(both: Both) -> None:
    """Figures taken while other workers run are worth nothing; pytest-benchmark says so, and the run ends."""
    ours, stock = both("--benchmark-only", files={"test_b.py": "def test_b(benchmark): benchmark(lambda: 1)\n"})
    assert "--benchmark-only" in stock.err
    assert (ours.code, errors(ours)) == (stock.code, errors(stock)), (ours, stock)
    assert errors(ours)


def errors(result: Result) -> list[str]:
    """Return what pytest says of a usage error."""
    return [line for line in result.err.splitlines() if line.startswith("ERROR:")]
