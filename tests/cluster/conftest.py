"""A real node for each test that asks for one; at the end of a module it is as it was found."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paddock import node
from tests.cluster.own_node import (
    IMAGE,
    NAME_SERVICE,
    PROGRAMS,
    eventually,
    in_use,
    kubectl,
    listing,
    paddock_node,
    start_pod,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def as_it_was_found() -> Iterator[None]:
    """Leave the node up if it was up, and down if it was down; leave it alone while others use it."""
    was_up = node.access() is not None
    if was_up and (others := in_use()):
        found = ", ".join(sorted(others))
        pytest.fail(f"the node is in use: namespaces {found}; run these tests without other runs", pytrace=False)
    yield
    paddock_node("up" if was_up else "down")


@pytest.fixture
def up() -> node.NodeAccess:
    """A node that is up, started by another process, as a user's is."""
    paddock_node("up")
    found = node.access()
    assert found is not None
    return found


@pytest.fixture
def shell(up: node.NodeAccess, tmp_path: Path) -> str:
    """An image with a shell on a node that is up."""
    del up
    return push_shell(tmp_path)


@pytest.fixture
def pushed_shell(tmp_path: Path) -> str:
    """The same on a node that the test has started itself."""
    return push_shell(tmp_path)


def push_shell(tmp_path: Path) -> str:
    """Make an image with a shell of this machine's own programs and push it to the node's registry."""
    access = node.access()
    assert access is not None
    libraries = "".join(subprocess.run(["ldd", *PROGRAMS], capture_output=True, text=True, check=True).stdout)
    paths = {word for word in libraries.split() if word.startswith("/") and not word.endswith(":")}
    folder = next(Path(path).parent for path in paths if path.endswith("/libc.so.6"))
    layer = tmp_path / "layer.tar"
    with tarfile.open(layer, "w", dereference=True) as tar:
        for path in sorted({*PROGRAMS, *paths, *(str(folder / name) for name in NAME_SERVICE)}):
            tar.add(path)
    reference = f"{access.registry}/{IMAGE}"
    crane = [str(node.tool("crane")), "append", "--oci-empty-base", "-f", str(layer), "-t", reference]
    subprocess.run(crane, check=True, capture_output=True)
    return reference


@pytest.fixture
def before() -> dict[str, Any]:
    """What is on the machine without a node."""
    paddock_node("up")  # so that what only the first node ever makes, such as the kernel's own tables, is there
    paddock_node("down")
    return listing()


@pytest.fixture
def busy(before: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """A node with pods on it; the value is the listing of the machine without."""
    shell = request.getfixturevalue("shell")
    kubectl("create", "namespace", "node-busy")
    eventually(lambda: "kube-root-ca.crt" in kubectl("-n", "node-busy", "get", "configmaps", "-o", "name"))
    start_pod("node-busy", shell)
    during = listing()
    assert {kind for kind in before if during[kind] != before[kind]} == set(before), "the listing sees every kind"
    return before
