"""How long it takes from a changed dependency to an image that a pod can be started from, and how long with no change.

An environment of its own gets the distributions of the tests of Paddock; then one thing after the other is changed in
it, as a user would, and each time a new process makes sure of the images, as each run does. Made with a registry and a
cache of its own, which both go away again; the layers of the distribution and of the interpreter are there already.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import node
from paddock.images import places
from tests.plugins.images import linked_cache, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
CHANGES = {
    "a small distribution added": ["install", "six"],
    "a distribution removed": ["uninstall", "colorlog"],
    "a plugin of pytest in another version": ["install", "hypothesis==6.130.0"],
    "pytest itself in another version": ["install", "pytest==9.0.1"],
    "a large distribution with compiled modules added": ["install", "numpy==2.2.6"],
}
"""Every change gives an environment that no image was made of before."""
KEPT = ("base-", "broker", "database", "interpreter-", "system-")
"""Kinds of layers that are there already; those of distributions are made."""
UNCHANGED_ROUNDS = 5
PROGRAM = """
import time
start = time.perf_counter()
import sys
from pathlib import Path
from paddock import images, node
from paddock.workers import inpod_files
host, cache = sys.argv[1:]
images.ensure(
    host, crane=lambda: node.tool("crane"), inpod=inpod_files.files(), uid=1000, report=lambda line: None,
    roots=[Path("/project")], cache=Path(cache),
)
print(time.perf_counter() - start)
"""


def main() -> None:
    """Measure, print the figures and end with the slowest change."""
    node.tool("crane", report=print)
    with scratch() as folder, serving(folder / "registry") as host:
        python = environment(folder)
        cache = linked_cache(folder, KEPT)
        print(f"the first image of the environment: {ensure(python, host, cache):.1f} s")
        slowest = max(changed(python, host, cache, *change) for change in CHANGES.items())
        unchanged = [ensure(python, host, cache) for _ in range(UNCHANGED_ROUNDS)]
    print(f"nothing changed: median {statistics.median(unchanged):.2f} s, max {max(unchanged):.2f} s")
    print(f"figure: {slowest:.1f} s")


def changed(python: Path, host: str, cache: Path, what: str, arguments: list[str]) -> float:
    """Change the environment and return the seconds until its image is there."""
    verb, *names = arguments
    uv("pip", verb, "--python", str(python), *names)
    seconds = ensure(python, host, cache)
    print(f"{what}: {seconds:.1f} s", flush=True)
    return seconds


def ensure(python: Path, host: str, cache: Path) -> float:
    """Return the seconds that a new process of ``python`` needs for its images, imports included."""
    done = subprocess.run([python, "-c", PROGRAM, host, cache], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder on the disk of the cache, whose layers can so be linked."""
    places.folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=places.folder().parent) as folder:
        yield Path(folder)


def environment(folder: Path) -> Path:
    """Make a virtual environment with Paddock and what its tests need; returns its interpreter."""
    uv("venv", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--python", str(python), str(ROOT), "--group", f"{ROOT / 'pyproject.toml'}:test")
    return python


def uv(*arguments: str) -> None:
    """Run uv, which the test dependencies bring."""
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True)


if __name__ == "__main__":
    main()
