"""Nodes made of something else than is wanted: told apart, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from paddock.errors import NodeError, UsageError
from paddock.node import building, commands, components, pins, pki, reaching, recipes, starting, statuses, upgrading
from paddock.node.layout import from_json
from paddock.node.pins import Pin
from paddock.node.processes import myself
from paddock.node.reaching import NodeAccess
from paddock.node.supply import Supply
from paddock.node.upgrading import Course
from paddock.resources import k8s_folder
from tests.unit.node.layouts import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULES = Supply(source="modules")


def pin(kubernetes: str = "1.36.4", etcd: str = "3.6.8", containerd: str = "2.4.2", state: str = "one") -> Pin:
    versions = {"kube-apiserver": kubernetes, "etcd": etcd, "containerd": containerd}
    return Pin(versions=versions, state=state, source="modules")


TABLE = {
    "the same": (pin(), pin(), Course.KEEP, ""),
    "unknown": (None, pin(), Course.ANEW, "an earlier version of Paddock"),
    "only configuration": (pin(), pin(state="two"), Course.UPGRADE, "their configuration have changed"),
    "a patch up": (pin("1.36.3"), pin(state="two"), Course.UPGRADE, "kube-apiserver 1.36.3 becomes 1.36.4"),
    "a patch down": (pin(), pin("1.36.0", state="two"), Course.UPGRADE, "kube-apiserver 1.36.4 becomes 1.36.0"),
    "a minor up": (pin("1.35.9"), pin(state="two"), Course.UPGRADE, "1.35.9 becomes 1.36.4"),
    "two minors up": (pin("1.34.4"), pin(state="two"), Course.ANEW, "more than one after 1.34.4"),
    "a minor down": (pin(), pin("1.35.9", state="two"), Course.ANEW, "1.35.9 does not read the data of 1.36.4"),
    "older etcd": (pin(), pin(etcd="3.5.21", state="two"), Course.ANEW, "etcd 3.5.21 does not read"),
    "older containerd": (pin(), pin(containerd="2.3.9", state="two"), Course.ANEW, "containerd 2.3.9 does not read"),
    "another major": (pin(etcd="3.6.8"), pin(etcd="4.0.0", state="two"), Course.ANEW, "etcd does not skip"),
    "ten is after nine": (pin("1.9.0"), pin("1.10.0", state="two"), Course.UPGRADE, "1.9.0 becomes 1.10.0"),
}


@pytest.mark.parametrize(("running", "wanted", "course", "why"), TABLE.values(), ids=TABLE)
def test_what_becomes_of_a_node(running: Pin | None, wanted: Pin, course: Course, why: str) -> None:
    """Data is kept where the new programs read it, and the reason is named either way."""
    found = upgrading.verdict(running, wanted, keys_fit=True)
    assert found.course is course
    assert why in found.why


def test_keys_that_do_not_fit_make_a_node_anew() -> None:
    """New ones would lock out every pod; of a node that is what is wanted they are no concern."""
    assert upgrading.verdict(pin("1.36.3"), pin(state="two"), keys_fit=False).course is Course.ANEW
    assert upgrading.verdict(pin(), pin(), keys_fit=False).course is Course.KEEP


def test_keys_fit_as_long_as_they_name_the_same_and_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One missing, another address, or less than a month left: they do not."""

    def named(address: str) -> Sequence[pki.Identity]:
        return pki.identities(node="paddock", address=address, service_address="10.96.0.1")

    assert not pki.fit(tmp_path, named("192.0.2.2"))
    pki.write(tmp_path, named("192.0.2.2"))
    assert pki.fit(tmp_path, named("192.0.2.2"))
    assert not pki.fit(tmp_path, named("192.0.2.3"))
    with monkeypatch.context() as later:
        later.setattr(pki, "_LEFT", dt.timedelta(days=366))
        assert not pki.fit(tmp_path, named("192.0.2.2"))
    (tmp_path / "proxy.crt").unlink()
    assert not pki.fit(tmp_path, named("192.0.2.2"))


def test_a_node_is_stopped_only_when_its_new_programs_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build or a download that fails leaves it as it was."""

    def fail(*_arguments: object) -> NoReturn:
        raise NodeError("no disk")

    monkeypatch.setattr(building, "build_all", fail)
    for name in ("_stop_components", "preparing", "pins"):
        monkeypatch.setattr(upgrading, name, None)
    with pytest.raises(NodeError, match="no disk"):
        upgrading.upgrade(layout(), MODULES, pytest.fail)


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of a node that is not this machine's."""
    monkeypatch.setattr(pins, "PIN_FILE", tmp_path / "pin.json")
    return tmp_path / "pin.json"


def test_what_is_noted_is_what_is_read(record: Path) -> None:
    """Missing, broken or of another form, it is as if nobody had noted anything."""
    assert pins.read() is None
    assert pins.settled(Supply()) == Supply(source="modules", kubernetes=recipes.NEWEST)
    pins.note(pin())
    assert pins.read() == pin()
    assert pins.settled(Supply()) == Supply(source="modules", kubernetes=pin().minor)
    assert pins.settled(Supply(kubernetes="1.34")).kubernetes == "1.34"
    for text in ("{", "[]", '{"kubernetes": "1.36.4"}'):
        record.write_text(text)
        assert pins.read() is None


AS_IT_WAS = NodeAccess(
    kubeconfig=Path("/kubeconfig"), context="paddock", registry="localhost:1", server="https://localhost:2"
)


@pytest.mark.parametrize(("asked", "refused"), [(recipes.NEWEST, False), (recipes.OLDEST, True), ("", False)])
def test_a_node_of_another_version_is_not_taken_for_the_one_asked_for(
    record: Path, monkeypatch: pytest.MonkeyPatch, asked: str, *, refused: bool
) -> None:
    """What is up stays; the sentence says what to do."""
    pins.note(pin())
    assert record.exists()
    monkeypatch.setattr(starting, "_living_layout", layout)
    monkeypatch.setattr(starting, "_upgraded", lambda *_: layout())
    monkeypatch.setattr(starting, "access", lambda: AS_IT_WAS)
    if refused:
        with pytest.raises(UsageError, match=r"Kubernetes 1\.34 but as 1\.36\. Remove it first: paddock node down"):
            starting.start(print, Supply(kubernetes=asked), upgrade=True)
    else:
        assert starting.start(print, Supply(kubernetes=asked), upgrade=True) is AS_IT_WAS


def test_the_oldest_version_has_pins_of_its_own() -> None:
    """Its API server and etcd are those of its own go.mod, and containerd is the same."""
    newest, oldest = (
        pins.wanted(layout(), Supply(kubernetes=one)).versions for one in (recipes.NEWEST, recipes.OLDEST)
    )
    assert oldest["kube-apiserver"] == recipes.OLDEST_VERSION
    assert oldest["containerd"] == newest["containerd"]


def test_the_wanted_versions_are_the_pinned_ones() -> None:
    """From go.mod for what is built, from the list of archives for what is fetched."""
    built = pins.wanted(layout(), MODULES).versions
    assert built["kube-apiserver"] == recipes.KUBERNETES_VERSION
    required = (k8s_folder() / "node/containerd/go.mod").read_text()
    assert f"github.com/containerd/containerd/v2 v{built['containerd']} " in required
    assert "0.0.0" not in built.values()


def test_the_wanted_versions_of_a_release_are_its_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which may be behind what is built."""
    monkeypatch.setattr(building, "_ARCHITECTURE", "x86_64")
    (archive,) = building.archives(recipes.CONTAINERD, Supply(source="release"))
    found = pins.wanted(layout(), Supply(source="release"))
    assert found.versions["containerd"] == archive.version
    assert f"etcd-v{found.versions['etcd']}-" in "".join(
        each.url for each in building.archives(recipes.KUBERNETES, Supply(source="release"))
    )


def test_any_change_is_another_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build, an argument of a component, a line of configuration; but not the paths of the programs that run."""
    before = pins.wanted(layout(), MODULES)
    assert pins.wanted(layout(binaries=replace(layout().binaries, cni=Path("/elsewhere"))), MODULES) == before
    assert pins.wanted(layout(name_servers=()), MODULES).state != before.state
    with monkeypatch.context() as patched:
        patched.setattr(building, "folder_of", lambda recipe, _supply: Path("/another", recipe.module))
        assert pins.wanted(layout(), MODULES).state != before.state
    monkeypatch.setattr(pins, "components", lambda found: components.components(found)[1:])
    assert pins.wanted(layout(), MODULES).state != before.state


def test_another_paddock_is_another_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reaper runs its code: an old one would end what a newer version means to keep."""
    before = pins.wanted(layout(), MODULES)
    monkeypatch.setattr(pins, "__version__", "99")
    assert pins.wanted(layout(), MODULES).state != before.state


def test_a_layout_of_another_version_can_be_read() -> None:
    """What only a later version knows is left out, so that its node can be removed or made anew."""
    text = json.dumps({**json.loads(layout().to_json()), "of_a_later_version": 1})
    assert from_json(text) == layout()


def test_status_says_what_up_would_do(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The version in the first line; a second line only where the node is not what is wanted."""
    folder = record.parent
    here = layout(state=folder)
    pki.write(here.keys, pki.identities(node=here.name, address=here.address, service_address=here.kubernetes_service))
    (folder / "layout.json").write_text(here.to_json())
    (folder / "status.json").write_text(json.dumps({"supervisor": [myself().pid, myself().started], "components": {}}))
    monkeypatch.setattr(upgrading, "LAYOUT_FILE", folder / "layout.json")
    monkeypatch.setattr(statuses, "STATUS_FILE", folder / "status.json")
    monkeypatch.setattr(reaching, "ACCESS_FILE", folder / "access.json")
    monkeypatch.setattr(commands, "STATE", folder)
    monkeypatch.delenv("PADDOCK_NODE_SOURCE", raising=False)
    pins.note(pins.wanted(here, MODULES))
    commands.main(["status"])
    assert capsys.readouterr().out == f"node starting, Kubernetes {recipes.KUBERNETES_VERSION}\n"
    older = {**pins.wanted(here, MODULES).versions, "kube-apiserver": "1.36.3"}
    pins.note(replace(pins.wanted(here, MODULES), versions=older))
    commands.main(["status"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "node starting, Kubernetes 1.36.3"
    change = f"kube-apiserver 1.36.3 becomes {recipes.KUBERNETES_VERSION}"
    assert second == f"It is not what this version of Paddock makes; `paddock node up` upgrades it: {change}."
    commands.main(["status", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["kubernetes"], told["up"], told["why"]) == ("1.36.3", "upgrade", change)
