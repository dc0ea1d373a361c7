"""A worker process that waits before it is asked for is the worker that was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from paddock.workers.inpod import warm
from paddock.workers.inpod.stacks import VARIABLE
from paddock.workers.stream import PodStream
from tests.contract.workers.places import ENDING, await_condition, supervised
from tests.contract.workers.stream_contract import PATIENCE, read_all

BOOT = "import sys;exec(eval(sys.stdin.readline()))"
REPORT = "import json, os, sys; print(json.dumps([os.getcwd(), sorted(os.environ.items()), 'pytest' in sys.modules]))"
EARLY = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "7"}


def run(library: Path, folder: Path, order: str, env: dict[str, str], cwd: str) -> tuple[object, int | None, str]:
    """Return what the worker said of itself, its exit code and the cause of its end."""
    with supervised(library, folder, options=["--warm", order]) as place:
        stream = PodStream(place.dial, give_up=PATIENCE)
        try:
            stream.start([sys.executable, "-u", "-c", BOOT], env=env, cwd=cwd)
            stream.write(f"{REPORT!r}\n".encode())
            said = read_all(stream)
            status = stream.wait(PATIENCE)
        finally:
            stream.kill()
            stream.wait(ENDING)
    assert status
    return json.loads(said) if said else None, status.code, status.cause


def order(program: str = warm.PROGRAM, python: str = sys.executable) -> str:
    """Return the order for a waiting process."""
    return json.dumps({"argv": [python, "-u", "-c", program], "env": EARLY})


def test_a_waiting_process_gets_the_whole_environment_and_the_folder(library: Path, folder: Path) -> None:
    """What is secret, and so not in the pod's manifest, arrives with the order; nothing else is left in it."""
    env = {**EARLY, "PADDOCK_DATABASE_PASSWORD": "drawn"}
    said, code, _ = run(library, folder, order(), env, "/usr")
    assert isinstance(said, list)
    assert code == 0
    assert said[0] == "/usr"
    assert {name: value for name, value in said[1] if name != "LC_CTYPE"} == env | {VARIABLE: f"{folder}/stacks"}
    assert said[2] is True


def test_a_process_that_could_not_wait_is_started_in_the_usual_way(library: Path, folder: Path) -> None:
    """An interpreter that is not there yet costs time only."""
    said, code, _ = run(library, folder, order(python="/nowhere/python"), EARLY, "/usr")
    assert isinstance(said, list)
    assert (said[0], code) == ("/usr", 0)


def test_a_process_that_ended_before_anybody_listened_is_reaped(library: Path, folder: Path) -> None:
    """It ends before the supervisor has a handler for its signal, and is noticed all the same."""
    brief = json.dumps({"argv": ["/bin/true"], "env": EARLY})
    with supervised(library, folder, options=["--warm", brief]) as place:
        process = place.supervisor.pid
        await_condition(lambda: "waiting for the client" in place.log())
        await_condition(lambda: not Path(f"/proc/{process}/task/{process}/children").read_text())


def test_a_folder_that_is_missing_is_told(library: Path, folder: Path) -> None:
    """The same sentence as without a waiting process."""
    said, _, cause = run(library, folder, order(), EARLY, "/nowhere")
    assert said is None
    assert "'/nowhere'" in cause


def test_folders_that_come_with_the_sources_are_on_the_search_path(library: Path, folder: Path) -> None:
    """An interpreter passes over folders of .pth files that are not there when it starts: editable installs."""
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (site,) = (folder / "venv" / "lib").glob("python3.*/site-packages")
    (site / "library.pth").write_text(f"# comment\n\nimport sys; sys.ran = getattr(sys, 'ran', 0) + 1\n{folder}/src\n")
    sources = {folder / "src" / "late.py": "from sys import ran, path; print([ran, path.count(__file__[:-8])])"}
    with supervised(library, folder, options=["--warm", order(python=str(folder / "venv/bin/python"))]) as place:
        await_condition(lambda: "waiting for the client" in place.log())
        process = place.supervisor.pid
        child = Path(f"/proc/{process}/task/{process}/children").read_text().strip()
        await_condition(lambda: "pipe_read" in Path(f"/proc/{child}/wchan").read_text())
        for path, text in sources.items():
            path.parent.mkdir()
            path.write_text(text)
        stream = PodStream(place.dial, give_up=PATIENCE)
        stream.start(["/nowhere"], env=EARLY, cwd="/usr")
        stream.write(b"'import late'\n")
        said = read_all(stream)
        stream.kill()
        assert stream.wait(ENDING)
    usual = subprocess.run([folder / "venv/bin/python", "-c", "import late"], capture_output=True, check=True).stdout
    assert said == usual
    assert b", 1]" in said
