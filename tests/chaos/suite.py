"""The project whose runs are hit: steady tests, one that fails as it should, and one that waits to be the victim.

Owns what each test's verdict is without a fault. It must not know faults.
"""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

from paddock.node.places import cache_folder
from tests.plugins.images import linked_cache

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GO_ON = "/tmp/go-on"  # noqa: S108 - in the pod
ALLOWED = 120
"""Seconds that the victim waits for somebody to let it go on; every fault has struck long before."""

CACHE = "cache"
"""Folder in the project for what a scenario keeps apart from the machine's own cache."""
BALLAST = 190 << 20
"""Bytes that take seconds to send: some 50 MB/s on two processors."""

FILES: Mapping[str, str] = {
    "test_steady.py": """\
import pytest


@pytest.mark.parametrize("number", range(6))
def test_passes(number):
    pass


def test_uses_its_services(mqtt_broker, database_server):
    pass


def test_fails():
    raise AssertionError("as it should")
""",
    "test_victim.py": f"""\
import os
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def torn_down():
    yield
    print("the victim's fixture is torn down", file=sys.stderr, flush=True)
    if os.environ.get("STUBBORN"):
        time.sleep({ALLOWED})


def test_victim(torn_down):
    print("the victim waits as process", os.getpid(), file=sys.stderr, flush=True)
    deed = os.environ.get("VICTIM", "")
    if deed:
        exec(Path(deed).read_text())
    end = time.monotonic() + {ALLOWED}
    while not Path("{GO_ON}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
""",
    "pyproject.toml": """\
[tool.pytest.ini_options]
addopts = ["-p", "no:cacheprovider", "--tb=short"]

[tool.paddock]
env = ["VICTIM", "STUBBORN"]
""",
    "noxfile.py": """\
from paddock import sessions

sessions.register("parallel", workers=2)
""",
    "brief.deed": f"""\
time.sleep(1)
Path("{GO_ON}").touch()
""",
    "segfault.deed": """\
import ctypes
ctypes.string_at(0)
""",
    "artifact.deed": """\
Path("artifact").write_bytes(os.urandom(90 << 20))
""",
    "memory.deed": """\
hoard = []
while True:
    hoard.append(bytearray(b"x") * 2**23)
""",
    "disk.deed": """\
block = b"x" * 2**20
with open("/tmp/filled", "wb") as filled:
    for _ in range(200):
        filled.write(block)
""",
}

VICTIM = "test_victim.py::test_victim"
VERDICTS: Mapping[str, str] = {
    **{f"test_steady.py::test_passes[{number}]": "passed" for number in range(6)},
    "test_steady.py::test_uses_its_services": "passed",
    "test_steady.py::test_fails": "failed",
    VICTIM: "passed",
}
"""What a run says of each test if nothing happens to it: test -> verdict."""


def write(folder: Path, pyproject: str = "") -> None:
    """Write the project into a folder; ``pyproject`` is added to its settings."""
    for name, text in FILES.items():
        (folder / name).write_text(text + (pyproject if name == "pyproject.toml" else ""), encoding="utf-8")


def nothing_more(_folder: Path) -> None:
    """Leave the project as it is."""


def forget_packages(folder: Path) -> None:
    """Make a cache in the project that lacks the layer of installed packages; an earlier trial may have finished it.

    The node's registry may have the image as well: it is to be one for a user that nobody had before.
    """
    settings = folder / "pyproject.toml"
    lines = [one for one in settings.read_text(encoding="utf-8").splitlines() if not one.startswith("uid =")]
    uid = random.SystemRandom().randrange(100_000, 1_000_000)
    settings.write_text("\n".join([*lines, f"uid = {uid}", ""]), encoding="utf-8")
    shutil.rmtree(folder / CACHE, ignore_errors=True)
    linked_cache(folder / CACHE)
    (folder / CACHE / "node").symlink_to(cache_folder() / "node")


def add_ballast(folder: Path) -> None:
    """Put something into the project that cannot be compressed."""
    (folder / "ballast").write_bytes(os.urandom(BALLAST))
