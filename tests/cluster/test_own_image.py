"""A worker image that a user has made, without Paddock: looked at, completed, and run on the embedded node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from paddock import images, node, specs
from paddock.errors import UsageError
from paddock.images import archive, layers, store, trees
from paddock.images.environment import Environment
from paddock.images.own import NEEDED
from tests.cluster.on_the_node import project_folder
from tests.contract.plugin.running import clean_environment, run_pytest, write
from tests.plugins.images import answered, linked_cache, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="base images are installed as root"),
]

KINDS = ("base-", "broker", "database", "interpreter-", "packages-", "changes-")


@pytest.fixture(scope="module")
def cache(scratch: Path) -> Path:
    """A cache of its own that has the layers which are not looked at here."""
    return linked_cache(scratch / "own", KINDS)


def crane(*arguments: str) -> None:
    subprocess.run([str(node.tool("crane")), *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def theirs(registry: str, cache: Path, scratch: Path) -> str:
    """An image with an interpreter, pytest and pytest-xdist in its own site-packages, and nothing of Paddock."""
    images.ensure(registry, crane=lambda: node.tool("crane"), inpod={}, uid=1000, report=print, cache=cache)
    running, found = Environment.current(), store.Store(cache)
    records = {path.stem: json.loads(path.read_bytes()) for path in (cache / "layers").glob("*.json")}
    made = max((cache / "layers").glob("interpreter-*.json"), key=lambda path: path.stat().st_mtime)
    base = max((cache / "layers").glob("base-*.json"), key=lambda path: path.stat().st_mtime)
    lower = [str(found.path / "blobs" / records[path.stem]["digest"].replace(":", "/")) for path in (base, made)]
    wanted = [f"{name}=={metadata.version(name)}" for name in NEEDED]
    target = scratch / "their-site"
    subprocess.run([sys.executable, "-m", "uv", "-q", "pip", "install", "--target", target, *wanted], check=True)
    ask = [str(running.base_executable), "-I", "-c", "import site; print(site.getsitepackages()[0])"]
    site = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    entries = trees.entries(target, site, lambda _path: False, ())
    archive.write(layers.complete(entries, {}), scratch / "their-layer.tar")
    reference = f"{registry}/their/tests:1"
    parts = [f"--new_layer={path}" for path in (*lower, scratch / "their-layer.tar")]
    crane("append", *parts, f"--new_tag={reference}")
    crane("mutate", f"--env=PATH={running.base_prefix}/bin:/usr/bin:/bin", f"--tag={reference}", reference)
    return reference


def ensure(registry: str, cache: Path, reference: str, said: list[str]) -> tuple[specs.Images, specs.PythonEnvironment]:
    return images.ensure(
        registry, crane=lambda: node.tool("crane"), inpod={"half.py": b"print('half')"}, uid=1234, report=said.append,
        cache=cache, choices=specs.ImageChoices(worker=reference),
    )  # fmt: skip


def test_it_gets_what_paddock_needs_and_keeps_what_it_has(
    registry: str, cache: Path, theirs: str, scratch: Path
) -> None:
    """Its own interpreter runs, with Paddock's fixtures, for a user that now has a name; a second run does nothing."""
    said: list[str] = []
    made, python = ensure(registry, cache, theirs, said)
    assert python.executable.parent == Environment.current().base_prefix / "bin"
    root = unpacked(made.worker, scratch / "own-root")
    script = "import os, pwd, pytest, xdist, paddock.fixtures.services; print(pwd.getpwuid(os.getuid()).pw_name)"
    assert answered(root, 1234, str(python.executable), "-c", script) == "paddock\n"
    assert answered(root, 1234, str(python.executable), "/opt/paddock/lib/half.py") == "half\n"
    said.clear()
    assert ensure(registry, cache, theirs, said) == (made, python)
    assert said == []


def test_an_image_without_pytest_is_refused_in_a_sentence(registry: str, cache: Path, theirs: str) -> None:
    """Before a namespace is made."""
    broker = ensure(registry, cache, theirs, [])[0].broker
    with pytest.raises(UsageError, match=r"has no python3 on its search path"):
        ensure(registry, cache, broker, [])


@pytest.fixture
def project() -> Iterator[Path]:
    """An empty project folder."""
    with project_folder("paddock-own-image") as folder:
        yield folder


SUITE = """
import sys

def test_the_image_of_the_project_runs_it(pytestconfig):
    assert sys.prefix == sys.base_prefix
    assert pytestconfig.pluginmanager.hasplugin("paddock-fixtures")
"""


@pytest.mark.usefixtures("embedded_node")
def test_a_run_takes_place_in_it(theirs: str, project: Path) -> None:
    """Named in pyproject.toml: the interpreter is the image's, the fixtures are Paddock's."""
    write(project, {"test_own.py": SUITE, "pyproject.toml": f'[tool.paddock]\nimage = "{theirs}"\n'})
    result = run_pytest(["--paddock", "-n", "1"], project, clean_environment())
    assert result.counts == {"passed": 1}, result.out + result.err


@pytest.mark.usefixtures("embedded_node")
def test_a_run_in_an_image_without_python_ends_at_once(registry: str, theirs: str, cache: Path, project: Path) -> None:
    """With the sentence and before a namespace is made: nobody is to search for it in a pod's log."""
    broker = ensure(registry, cache, theirs, [])[0].broker
    write(project, {"test_own.py": SUITE})
    result = run_pytest(["--paddock", "-n", "1", f"--paddock-image={broker}"], project, clean_environment())
    assert result.code == 4, result.out + result.err
    assert "namespaces: created 0" in result.out
    assert f"The image '{broker}' has no python3 on its search path" in result.out + result.err
