"""Release archives: pinned values, and what comes from a server that is good, broken, lying or gone."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from paddock.errors import NodeError, UsageError
from paddock.node import building, commands, recipes, releases, toolchain
from paddock.node.recipes import Recipe
from paddock.node.supply import RELEASE, Supply, supply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HELLO = Recipe(module="hello", packages=(".",), programs=("hello-node", "other"), links=("greet", "part"))
HELD = {"./v1/deep/greet": b"another", "./v1/greet": b"#!/bin/sh\necho greetings\n", "v1/part": b"part"}
OTHER = {"other": b"other"}


def packed(files: dict[str, bytes]) -> bytes:
    """Return an archive of files that are not executable, beside a folder and a link."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as tar:
        link = tarfile.TarInfo("v2/greet")
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/sh"
        tar.addfile(link)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return output.getvalue()


GOOD = {"/dl.example/v1.tar.gz": packed(HELD), "/dl.example/other.tgz": packed(OTHER)}


class Server(http.server.ThreadingHTTPServer):
    """Serves what is good unless a test says otherwise, and keeps what was asked for."""

    answers: dict[str, Callable[[http.server.BaseHTTPRequestHandler, bytes], None]]
    asked: list[str]


def whole(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def truncated(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:100])


def cut_off_in_silence(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """End early without having said how much there is, as a proxy may."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(body[:100])


def wrong(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    whole(handler, body[:-1] + bytes([body[-1] ^ 1]))


def missing(handler: http.server.BaseHTTPRequestHandler, _body: bytes) -> None:
    handler.send_response(404)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def reset(handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
    """Break the connection in the middle, as a machine that goes away."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:100])
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the test has it."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.close_connection = True
        self.server.answers.get(self.path, whole)(self, GOOD[self.path])

    def log_message(self, *_arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    Server.answers, Server.asked = {}, []
    with Server(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def wanted(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supply:
    """Releases of a recipe of its own, a cache of its own, and no way to build anything."""
    sources = tmp_path / "k8s" / "node"
    (sources / "hello").mkdir(parents=True)
    (sources / "hello" / "go.mod").write_text("module hello\n")
    (sources / "releases.toml").write_text(pins())
    monkeypatch.setattr(releases, "k8s_folder", lambda: tmp_path / "k8s")
    monkeypatch.setattr(building, "k8s_folder", lambda: tmp_path / "k8s")
    monkeypatch.setattr(toolchain, "find", lambda _report: pytest.fail("builds"))
    monkeypatch.setattr(building, "_ARCHITECTURE", "x86_64")
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    building._folder.cache_clear()
    return Supply(source=RELEASE, mirror=f"http://127.0.0.1:{server.server_port}/")


def pins() -> str:
    """Return a pin file: one digest of either kind."""
    first = hashlib.sha512(GOOD["/dl.example/v1.tar.gz"]).hexdigest()
    second = hashlib.sha256(GOOD["/dl.example/other.tgz"]).hexdigest()
    return f"""
[[hello]]
version = "1"
programs = {{ greet = "*/greet", part = "v1/part" }}
x86_64 = {{ url = "https://dl.example/v1.tar.gz", sha512 = "{first}" }}
aarch64 = {{ url = "https://dl.example/v1-arm.tar.gz", sha256 = "00" }}
[[hello]]
version = "2"
programs = {{ other = "other" }}
x86_64 = {{ url = "https://dl.example/other.tgz", sha256 = "{second}" }}
"""


def left() -> list[str]:
    """Return what lies in the cache, locks aside."""
    return [path.name for path in building._cache().iterdir() if path.suffix != ".lock"]


def test_programs_of_good_archives_can_be_called(wanted: Supply, server: Server) -> None:
    """They come from the mirror by host and path, once; what is a link or lies deeper than pinned is not taken."""
    said: list[str] = []
    folder = building.build(HELLO, said.append, wanted)
    assert subprocess.run([folder / "greet"], capture_output=True, check=True).stdout == b"greetings\n"
    assert sorted(path.name for path in folder.iterdir()) == ["greet", "other", "part"]
    assert server.asked == list(GOOD)
    assert said[0] == f"fetching greet, part from {wanted.mirror}dl.example/v1.tar.gz"
    assert left() == [folder.name]
    assert building.build(HELLO, pytest.fail, wanted) == folder
    assert server.asked == list(GOOD)


HEX = r"[0-9a-f]{128}"
FAULTS = {
    "truncated": (truncated, rf"only 100 of \d+ bytes came, whose sha512 is {HEX}"),
    "cut off": (cut_off_in_silence, rf"it is another file, whose sha512 is {HEX}"),
    "wrong": (wrong, rf"it is another file, whose sha512 is {HEX}"),
    "missing": (missing, r"the server answered 404 \(Not Found\), so that there is no digest"),
    "interrupted": (reset, r"fetching it failed \(.*reset.*\), so that there is no digest"),
}


@pytest.mark.parametrize(("answer", "expected"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("url", GOOD)
def test_a_bad_archive_leaves_nothing(wanted: Supply, server: Server, url: str, answer: object, expected: str) -> None:
    """The sentence names URL, both digests and the remedy; neither the archive nor programs of an earlier one stay."""
    server.answers[url] = answer  # type: ignore[assignment] # one of the functions above
    kind = "sha512" if url.endswith("v1.tar.gz") else "sha256"
    digest = getattr(hashlib, kind)(GOOD[url]).hexdigest()
    with pytest.raises(NodeError) as refusal:
        building.build(HELLO, lambda _line: None, wanted)
    words = expected if kind == "sha512" else expected.replace("sha512", kind).replace("128", "64")
    place = f"{wanted.mirror.rstrip('/')}{url}"
    remedy = "Try again, name another server with --mirror, or build the programs instead: --source=modules."
    assert re.fullmatch(
        rf"{re.escape(place)} could not be used \(expected {kind} {digest}\): {words}\. {re.escape(remedy)}",
        str(refusal.value),
    )
    assert left() == []
    server.answers.clear()
    assert building.build(HELLO, lambda _line: None, wanted).is_dir(), "the next one carries on"


def test_a_server_that_is_not_there_is_named(wanted: Supply) -> None:
    """As any other fault."""
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        gone = f"http://127.0.0.1:{endpoint.getsockname()[1]}"
    with pytest.raises(NodeError, match=rf"^{gone}/dl\.example/v1\.tar\.gz could not be used .*refused"):
        building.build(HELLO, lambda _line: None, Supply(source=wanted.source, mirror=gone))
    assert left() == []


def test_an_archive_without_a_program_is_refused(wanted: Supply, server: Server, tmp_path: Path) -> None:
    """Whatever its digest: the pin file named a path that is not there."""
    file = tmp_path / "k8s" / "node" / "releases.toml"
    file.write_text(file.read_text().replace("v1/part", "v1/absent"))
    releases._pinned.cache_clear()
    with pytest.raises(NodeError, match=r"v1\.tar\.gz holds no v1/absent, where part was expected"):
        building.build(HELLO, lambda _line: None, wanted)
    assert left() == []
    assert server.asked


def test_nothing_is_unpacked_before_the_digest_was_found(
    wanted: Supply, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forged archive is not even opened."""
    monkeypatch.setattr(tarfile, "open", pytest.fail)
    server.answers["/dl.example/v1.tar.gz"] = wrong
    with pytest.raises(NodeError, match="another file"):
        building.build(HELLO, lambda _line: None, wanted)


KILLED = """
import os, signal, sys
from paddock.node import building, releases
from tests.unit.node.test_releases import HELLO, Supply
building._ARCHITECTURE = "x86_64"
building.k8s_folder = releases.k8s_folder = lambda: __import__("pathlib").Path(sys.argv[1])
from paddock.node import downloading
downloading._unpack = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
building.build(HELLO, print, Supply(source="release", mirror=sys.argv[2]))
"""


def test_what_a_killed_download_left_is_removed_by_the_next(wanted: Supply, tmp_path: Path) -> None:
    """SIGKILL leaves a folder; it is never taken for programs, and does not stay."""
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "k8s"), wanted.mirror]
    folders = os.pathsep.join(sys.path)
    outcome = subprocess.run(arguments, env={**os.environ, "PYTHONPATH": folders}, capture_output=True, check=False)
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr
    assert len(left()) == 1
    folder = building.build(HELLO, lambda _line: None, wanted)
    assert left() == [folder.name]


def test_what_has_no_release_is_built(wanted: Supply, monkeypatch: pytest.MonkeyPatch) -> None:
    """One program without an archive for this architecture is enough, and it is said."""
    said: list[str] = []
    monkeypatch.setattr(building, "_ARCHITECTURE", "aarch64")
    monkeypatch.setattr(building, "_build", lambda _recipe, output, _log, _report: output.mkdir())
    folder = building.build(HELLO, said.append, wanted)
    assert said == ["hello has no release for aarch64 and is built from its modules"]
    assert folder == building.build(HELLO, pytest.fail), "the same that the other source has"


def test_a_program_that_is_there_will_do_whatever_its_source(wanted: Supply, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubectl for a node from releases must not build Kubernetes."""
    monkeypatch.setattr(recipes, "RECIPES", (HELLO,))
    monkeypatch.delenv("PADDOCK_NODE_SOURCE", raising=False)
    folder = building.build(HELLO, lambda _line: None, wanted)
    assert building.tool("greet") == folder / "greet"


def test_the_pinned_archives_hold_what_the_node_calls() -> None:
    """Every archive has a digest of the right length and an https URL; on x86_64 only the pause program is built."""
    lengths = {"sha256": 64, "sha512": 128}
    by_module = {recipe.module: releases.archives(recipe, "x86_64") for recipe in recipes.RECIPES}
    assert [module for module, found in by_module.items() if not found] == ["pause"]
    for archive in [each for found in by_module.values() for each in found]:
        assert re.fullmatch(r"[0-9a-f]+", archive.digest)
        assert len(archive.digest) == lengths[archive.algorithm]
        assert archive.url.startswith("https://")
        assert archive.version.rpartition(" ")[2] in archive.url
    assert releases.archives(recipes.CONTAINERD, "riscv64") == ()


def test_the_released_kubernetes_is_of_the_same_minor_version() -> None:
    """Flags and configuration are made for one minor version, whatever the source."""
    versions = {archive.version for archive in releases.archives(recipes.KUBERNETES, "x86_64")}
    minor = recipes.KUBERNETES_VERSION.rpartition(".")[0]
    assert any(version.startswith(f"{minor}.") for version in versions)


@pytest.mark.parametrize(
    ("source", "mirror", "environment", "expected"),
    [
        (None, None, {}, Supply()),
        (None, None, {"PADDOCK_NODE_SOURCE": "release"}, Supply(source="release")),
        ("modules", None, {"PADDOCK_NODE_SOURCE": "release"}, Supply(source="modules")),
        ("release", "http://a/b", {"PADDOCK_NODE_MIRROR": "x"}, Supply(source="release", mirror="http://a/b")),
    ],
)
def test_an_option_wins_over_the_environment(
    source: str | None, mirror: str | None, environment: dict[str, str], expected: Supply
) -> None:
    """Without either it is left open."""
    assert supply(source, mirror, environment=environment) == expected


@pytest.mark.parametrize(
    ("chosen", "before", "expected"),
    [("", "", "modules"), ("", "release", "release"), ("modules", "release", "modules")],
)
def test_a_node_keeps_its_source_unless_another_is_chosen(chosen: str, before: str, expected: str) -> None:
    """Whoever chose releases once need not say so each time; who never chose builds."""
    assert Supply(source=chosen).settled(before, "").source == expected


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--source=binary", "'binary'; expected modules or release"),
        ("--mirror=/srv/mirror", "'/srv/mirror'; expected a URL such as http://"),
        ("--mirror=file:///srv", "'file:///srv'; expected a URL such as http://"),
    ],
)
def test_what_cannot_be_meant_is_refused(option: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with value and expectation, exit code 4, before anything is done."""
    assert commands.main(["up", option]) == UsageError.exit_code
    assert said in capsys.readouterr().err
