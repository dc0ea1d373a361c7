"""Files that travel beyond the project: siblings to the workers, artifacts back; cases for every engine."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.contract.plugin.running import Interrupt, write

if TYPE_CHECKING:
    from tests.contract.plugin.cases import Case
    from tests.contract.plugin.running import Result, Run

FILE_CASES: list[Case] = []


def case(function: Case) -> Case:
    """Add a case to the list."""
    FILE_CASES.append(function)
    return function


SIBLING = {
    "site/lib-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n",
    "src/lib/__init__.py": "",
    "src/lib/data.txt": "beside",
    "node_modules/not/sent": "",
}


@case
def siblings_installed_in_place_are_sent(run: Run) -> None:
    """A package installed in editable form outside of the project works in the pods, at its own path."""
    project = run("--collect-only", "-q", files={"empty.txt": ""}, paddock=False).folder
    sibling = project.parent / f"{project.name}-sibling"
    origin = json.dumps({"url": sibling.as_uri(), "dir_info": {"editable": True}})
    write(sibling, {**SIBLING, "site/lib-1.0.dist-info/direct_url.json": origin})
    text = f"""
        import lib, pathlib
        def test_lib(): assert lib.__file__ == "{sibling}/src/lib/__init__.py"
        def test_data(): assert pathlib.Path(lib.__file__).with_name("data.txt").read_text() == "beside"
        def test_copy(): assert not pathlib.Path("{sibling}/node_modules").exists()
    """
    ini = f"[pytest]\npythonpath = {sibling}/site {sibling}/src\n"
    try:
        result = run("-n1", files={"test_s.py": text, "pytest.ini": ini})
    finally:
        shutil.rmtree(sibling)
    assert (result.code, result.counts) == (0, {"passed": 3}), result
    assert f"; with {sibling}\n" in result.out, result


WRITES = {
    "out/sent.log": "sent",
    "test_w.py": """
        import os, pathlib, sys, threading, pytest
        out = pathlib.Path("out")
        def test_write(): (out / "deep").mkdir(); (out / "deep" / "new.log").write_text("written there")
        def test_other(): (out / "other.txt").write_text("not wanted")
        def test_crash(): "CRASH" not in os.environ or os._exit(9)
        def test_wait():
            if "WAIT" in os.environ:
                print("now it waits", file=sys.stderr, flush=True)
                threading.Event().wait(60)
    """,
    "pyproject.toml": "[tool.paddock]\nartifacts = ['out/**/*.log']\nenv = ['CRASH', 'WAIT']\n",
}


def _brings_artifacts(result: Result) -> None:
    folder = result.folder / "paddock-artifacts"
    assert f"paddock: artifacts: 1 file, 0.0 MiB, in {folder}\n" in result.out, result
    assert (folder / "gw0" / "out" / "deep" / "new.log").read_text(encoding="utf-8") == "written there"
    assert [path.name for path in folder.rglob("*") if path.is_file()].count("sent.log") == 0
    assert not list(folder.rglob("other.txt"))
    assert result.account


@case
def artifacts_come_back(run: Run) -> None:
    """Files that match and that tests wrote, a folder for each worker; what was sent does not come back."""
    result = run("-n1", files=WRITES)
    assert result.code == 0, result
    _brings_artifacts(result)
    result = run("-n1", "-k", "other")
    assert result.code == 0, result
    assert "paddock: artifacts: tests wrote no file that matches out/**/*.log\n" in result.out, result
    assert not (result.folder / "paddock-artifacts" / "gw0").exists()


@case
def artifacts_of_a_crashed_worker_come_back(run: Run) -> None:
    """What it wrote until then is the best hint at why."""
    result = run("-n1", files=WRITES, environment={"CRASH": "1"})
    assert (result.code, result.counts["failed"]) == (1, 1), result
    _brings_artifacts(result)


@case
def artifacts_come_back_after_an_interrupt(run: Run) -> None:
    """Ctrl-C ends the tests, not the way back."""
    stop = [Interrupt("[gw0] now it waits")]
    result = run("-n1", "-s", files=WRITES, environment={"WAIT": "1"}, interrupts=stop)
    assert result.code == 2, result
    _brings_artifacts(result)


@case
def artifacts_beyond_their_size_are_told(run: Run) -> None:
    """What is left behind is counted and named, and the rest comes."""
    text = "def test_w():\n    open('a.bin', 'w').write('a')\n    open('b.bin', 'w').write('b' * 99999)\n"
    result = run("-n1", "--paddock-artifacts=*.bin", "--paddock-artifacts-size=9k", files={"test_w.py": text})
    assert result.code == 0, result
    assert "artifacts of gw0: 1 file, 0.1 MiB, did not come, such as b.bin: " in result.out, result
    assert (result.folder / "paddock-artifacts" / "gw0" / "a.bin").is_file()
