"""The chart, with the real Helm on a real cluster: rendered, checked, installed, at work, upgraded, and gone again."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from paddock import images, names, node
from paddock.namespaces import rights
from paddock.specs import DEFAULT_UID
from paddock.workers import inpod_files
from tests.cluster.on_the_node import project_folder, runner
from tests.cluster.own_node import eventually
from tests.cluster.waiting_run import PATIENCE, is_waiting, waiting_project, waiting_run
from tests.contract.plugin.cases import GREEN
from tests.plugins.cluster import without_its_reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paddock.cluster.requests import Manifest
    from tests.contract.plugin.running import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "paddock"
GOLDEN = ROOT / "tests" / "golden" / "charts" / "paddock.golden.yaml"
PLUGIN_GOLDEN = GOLDEN.with_name("device-plugin.golden.yaml")
RELEASE = "charttest"
SYSTEM = names.RUN_RECORDS_NAMESPACE
PLACE = f"--namespace={SYSTEM}"
INSTALL = ("--create-namespace", "--wait", "--timeout=150s")
CHANGING = {"events", "events.events.k8s.io", "componentstatuses"}
"""Kinds that come and go, or are no objects; pods' metrics and reviews cannot be listed."""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Helm, with folders of its own."""
    helm, home = node.tool("helm", report=print), tmp_path_factory.mktemp("helm")
    folders = {f"HELM_{what}_HOME": str(home / what) for what in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **folders, "KUBECONFIG": str(kubeconfig or home / "none")}
        return subprocess.run([helm, *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def helm(
    program: Callable[..., subprocess.CompletedProcess[str]], embedded_node: EmbeddedNode
) -> Iterator[Callable[..., str]]:
    """Helm on the node; what it installed goes away with the test."""

    def run(verb: str, *arguments: str) -> str:
        done = program(verb, RELEASE, *arguments, PLACE, kubeconfig=embedded_node.kubeconfig)
        assert done.returncode == 0, done
        return done.stdout

    yield run
    program("uninstall", RELEASE, PLACE, "--ignore-not-found", "--wait", kubeconfig=embedded_node.kubeconfig)


def template(program: Callable[..., subprocess.CompletedProcess[str]], *more: str) -> subprocess.CompletedProcess[str]:
    return program("template", "paddock", str(CHART), PLACE, *more)


def test_the_rendered_chart_is_as_reviewed(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Nothing that is installed changes unseen (``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant)."""
    rendered = template(program, "--set=image=registry.example.org/team/paddock/worker:1").stdout
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text()


def test_the_rendered_device_plugin_is_as_reviewed(
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """It has more rights on its node than anything else of the chart, and comes only where it is wanted."""
    wanted = ("--set=devicePlugin.enabled=true", "--set=devicePlugin.devices.coral.paths={/dev/apex_*}")
    alone = ("--show-only=templates/device-plugin.yaml", "--set=image=registry.example.org/team/paddock/worker:1")
    rendered = template(program, *alone, *wanted).stdout
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        PLUGIN_GOLDEN.write_text(rendered)
    assert rendered == PLUGIN_GOLDEN.read_text()


def test_the_chart_is_without_fault(program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Helm's own linter says so, strictly, and for the values as they are."""
    done = program("lint", "--strict", str(CHART), PLACE)
    assert done.returncode == 0, done
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("reaper.replica=2", "additional properties 'replica' not allowed"),
        ("reaper.replicas=two", "got string, want integer"),
        ("devicePlugin.devices=coral", "got string, want object"),
        ("devicePlugin.devices.coral.path=/dev/x", "additional properties 'path' not allowed"),
        ("imagePullPolicy=Sometimes", "must be one of 'Always', 'IfNotPresent', 'Never'"),
        ("image=", "`paddock image push REGISTRY/PATH` makes one"),
    ],
)
def test_a_wrong_value_is_refused(
    program: Callable[..., subprocess.CompletedProcess[str]], wrong: str, said: str
) -> None:
    """Before anything is sent to a cluster, and with what would be right."""
    done = template(program, "--set=image=a/b", f"--set={wrong}")
    assert done.returncode != 0
    assert said in done.stderr


def test_another_namespace_than_that_of_the_records_is_refused(
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Roles there would be for nothing."""
    done = program("template", "paddock", str(CHART), "--namespace=elsewhere", "--set=image=a/b")
    assert "Install it with: --namespace=paddock-system --create-namespace" in done.stderr


def of_the_release(kubectl: Callable[..., str]) -> set[str]:
    """Return everything in the cluster, of whatever kind, that bears the release's name or label."""
    kinds = set(kubectl("api-resources", "--verbs=list", "--output=name").split()) - CHANGING
    listed = json.loads(kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", "--output=json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}" for one in listed if is_ours(one)}


def is_ours(one: Manifest) -> bool:
    labels = one["metadata"].get("labels") or {}
    return RELEASE in one["metadata"]["name"] or RELEASE in labels.get("app.kubernetes.io/instance", "")


def attempt(kubectl: Callable[..., str], *arguments: str) -> tuple[bool, str]:
    """Return whether a call succeeded, and what it said."""
    try:
        return True, kubectl(*arguments)
    except subprocess.CalledProcessError as failed:
        return False, f"{failed.stdout}{failed.stderr}"


def may(kubectl: Callable[..., str], account: str, verb: str, resource: str, namespace: str) -> bool:
    """Tell whether an account of the release may do something."""
    where = [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
    who = f"--as=system:serviceaccount:{SYSTEM}:{RELEASE}-{account}"
    allowed, said = attempt(kubectl, "auth", "can-i", verb, resource, *where, who)
    assert said.splitlines()[-1] in {"yes", "no"} or not allowed, said
    return allowed


def assert_least_rights(kubectl: Callable[..., str]) -> None:
    """What the reaper needs it may, and what would harm it may not."""
    for right in rights.REAPER:
        group = right.kind.api.split("/")[1:-1]
        for verb in right.verbs:
            assert may(kubectl, "reaper", verb, ".".join([right.resource, *group]), right.namespace), right
    for verb, resource in (
        *(("get", one) for one in ("secrets", "configmaps", "pods", "nodes")),
        *(("list", one) for one in ("secrets", "pods", "leases.coordination.k8s.io")),
        *(("create", one) for one in ("namespaces", "pods", "pods/exec", "serviceaccounts/token")),
        *(("patch", one) for one in ("namespaces", "leases.coordination.k8s.io")),
        ("delete", "leases.coordination.k8s.io"),
    ):
        assert not may(kubectl, "reaper", verb, resource, ""), (verb, resource)


def assert_confined(embedded_node: EmbeddedNode, account: str) -> None:
    """A namespace that is not of a run stays, whatever it is called; a policy needs seconds to be known."""
    stranger = "paddock-stranger-gw0"
    who = f"--as=system:serviceaccount:{SYSTEM}:{RELEASE}-{account}"

    def refused(*what: str) -> bool:
        deleted, said = attempt(embedded_node.kubectl, "delete", *what, who, "--dry-run=server")
        assert deleted or "deletes only namespaces of test runs" in said, said
        return not deleted

    embedded_node.kubectl("create", "namespace", stranger)
    try:
        eventually(lambda: refused("namespace", stranger))
        embedded_node.kubectl("label", "namespace", stranger, f"{names.MANAGED_BY}=paddock")
        eventually(lambda: refused("namespace", stranger))
        embedded_node.kubectl("label", "namespace", stranger, f"{names.RUN}=k7x2mq")
        eventually(lambda: not refused("namespace", stranger))
    finally:
        embedded_node.kubectl("delete", "namespace", stranger)


def image() -> str:
    """Return the worker image of this environment, which holds this very Paddock, in the node's registry."""
    access = node.access()
    assert access
    made, _ = images.ensure(
        access.registry,
        crane=lambda: node.tool("crane"),
        inpod=inpod_files.files(),
        uid=DEFAULT_UID,
        report=print,
    )
    return made.worker


def test_an_installed_reaper_ends_killed_runs_and_leaves_nothing_when_it_goes(
    helm: Callable[..., str], embedded_node: EmbeddedNode
) -> None:
    """From the worker image, under its own account, two of them at once; the node's own reaper is held still."""
    kubectl = embedded_node.kubectl
    assert of_the_release(kubectl) == set()
    helm("install", str(CHART), *INSTALL, f"--set=image={image()}")
    assert {f"{kind}/{RELEASE}-reaper" for kind in ("Deployment", "ClusterRole", "Role", "ServiceAccount")} < (
        of_the_release(kubectl)
    )
    assert_least_rights(kubectl)
    assert_confined(embedded_node, "reaper")
    helm("upgrade", str(CHART), *INSTALL, "--reuse-values", "--set=reaper.replicas=2")
    ready = kubectl("get", f"deployment/{RELEASE}-reaper", PLACE, "--output=jsonpath={.status.readyReplicas}")
    assert ready == "2"
    with waiting_project() as project, without_its_reaper():
        with waiting_run(project, "--paddock-lease-duration=3") as killed:
            killed.await_workers(is_waiting)
            os.killpg(killed.process.pid, signal.SIGKILL)
            killed.process.communicate()
        for name in embedded_node.namespaces(run=killed.run_id):
            kubectl("wait", "--for=delete", f"namespace/{name}", f"--timeout={PATIENCE:g}s")
    said = kubectl("logs", PLACE, "--selector=app.kubernetes.io/component=reaper", "--tail=-1", "--prefix")
    assert said.count(f"paddock: run {killed.run_id}: namespaces: found 2, left 0") == 1, said
    helm("uninstall", "--wait")
    eventually(lambda: of_the_release(kubectl) == set())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs pytest with Paddock in an empty project folder."""
    with project_folder("paddock-chart") as folder:
        yield runner(folder, tmp_path)


def test_the_runners_account_is_enough_for_a_run(
    helm: Callable[..., str], run: Run, embedded_node: EmbeddedNode, registry: str, tmp_path: Path
) -> None:
    """With its token alone a run makes its namespaces, runs its tests, keeps all evidence and gives them back."""
    helm("install", str(CHART), *INSTALL, "--set=reaper.enabled=false")
    token = embedded_node.kubectl("create", "token", f"{RELEASE}-runner", PLACE).strip()
    loaded = yaml.safe_load(embedded_node.kubeconfig.read_text())
    loaded["contexts"][0]["name"] = loaded["current-context"] = "ci"
    loaded["users"][0]["user"] = {"token": token}
    path = tmp_path / "ci.kubeconfig"
    path.write_text(yaml.safe_dump(loaded))
    places = [f"--paddock-kubeconfig={path}", "--paddock-context=ci", f"--paddock-registry={registry}/paddock"]
    result = run("-n2", *places, files={**GREEN, "test_red.py": "def test_fails(): assert not 'as it should'"})
    assert (result.code, result.counts) == (1, {"passed": 6, "failed": 1}), result
    kept = {path.name for path in (result.folder / "paddock-report").rglob("*")}
    assert {"worker.txt", "events.txt", "describe.txt"} <= kept
    assert "notes.txt" not in kept, "something could not be had"
    assert "namespaces: created 2, deleted 2, left 0" in result.out
    assert "forbidden" not in result.out + result.err
    assert_confined(embedded_node, "runner")
    assert not may(embedded_node.kubectl, "runner", "get", "secrets", "")
    for right in (*rights.RUN, *rights.HELPFUL):
        group = right.kind.api.split("/")[1:-1]
        for verb in right.verbs:
            resource = ".".join([right.kind.plural, *group]) + (f"/{right.subresource}" if right.subresource else "")
            assert may(embedded_node.kubectl, "runner", verb, resource, right.namespace), right


@pytest.fixture
def device() -> Iterator[Path]:
    """A device of its own in /dev: the kernel's endless zeros, under another name."""
    path = Path("/dev/paddock-chart-0")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    yield path
    path.unlink()


ON_A_DEVICE = """
import os
import pytest

@pytest.mark.hardware("tester")
def test_holds_it(accelerator):
    (path,) = accelerator.paths
    with open(path, "rb") as device:
        assert device.read(3) == bytes(3)
    assert os.getuid() != 0
    assert not accelerator.is_simulated
"""


def test_an_installed_device_plugin_hands_out_devices_to_runs(
    helm: Callable[..., str], run: Run, embedded_node: EmbeddedNode, device: Path
) -> None:
    """From the worker image, on the node; after an upgrade with other devices too, and it leaves nothing."""
    kubectl = embedded_node.kubectl
    alone = ("--set=reaper.enabled=false", "--set=runner.enabled=false", "--set=devicePlugin.enabled=true")
    devices = "--set=devicePlugin.devices.{}.paths={{{}}}"
    other = devices.format("nothing", "/dev/paddock-none-*")
    helm("install", str(CHART), *INSTALL, *alone, f"--set=image={image()}", other)
    first = of_the_release(kubectl)
    assert f"DaemonSet/{RELEASE}-device-plugin" in first
    helm("upgrade", str(CHART), *INSTALL, "--reuse-values", devices.format("tester", f"{device}*"))
    eventually(lambda: allocatable(kubectl) == "1")
    result = run("-n1", "--paddock-hardware=tester", files={"test_tester.py": ON_A_DEVICE, "pyproject.toml": TESTER})
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    helm("uninstall", "--wait")
    eventually(lambda: of_the_release(kubectl) == set())
    eventually(lambda: allocatable(kubectl) in {"", "0"})


TESTER = '[tool.paddock.devices.tester]\npaths = ["/dev/paddock-chart-*"]\n'


def allocatable(kubectl: Callable[..., str]) -> str:
    return kubectl("get", "nodes", r"--output=jsonpath={.items[0].status.allocatable.paddock\.dev/tester}")
