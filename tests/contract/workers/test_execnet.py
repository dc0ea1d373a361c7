"""Real execnet and xdist over streams that are cut all the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SUITE = """
import os, pytest

@pytest.mark.parametrize("number", range(300))
@pytest.mark.parametrize("half", "ab")
def test_many(number, half, record_property):
    record_property("pid", os.getpid())
    print("x" * 20_000)
"""


def test_every_test_is_reported_exactly_once_under_cuts(library: Path, folder: Path, tmp_path: Path) -> None:
    """600 tests with 20 kB of output each, connections cut after 50 ms: each reported once, by the same two workers."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'runner'}",
        "OVER_LIBRARY": str(library),
        "OVER_FOLDER": str(folder),
        "OVER_PERIOD": "0.05",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    options = ["-n2", "-q", "-p", "tests.contract.workers.xdist_over_streams", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", f"--rootdir={tmp_path}", *options, "test_suite.py"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads((folder / "result.json").read_text())
    assert (result["tests"], result["not once"], result["pids"]) == (600, [], 2)
    assert result["cuts"] > 10
