"""The user's additions to pods: only added, and refused with file and line where they would change something."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paddock.errors import UsageError
from paddock.namespaces import additions, manifests
from paddock.settings import pods, pyproject
from paddock.settings.resolution import resolve
from paddock.specs import Images, PodAddition, PythonEnvironment, RunPlan

SECRETS: dict[str, dict[str, str]] = {"broker": {}, "database": {}}
PLAN = RunPlan(
    run_id="k7x2mq",
    workers=("gw0",),
    root=Path("/srv/project"),
    working_directory=Path("/srv/project"),
    images=Images(worker="w", broker="b", database="d"),
    python=PythonEnvironment(executable=Path("/usr/bin/python3")),
)


def built(*given_: PodAddition, **changes: Any) -> dict[str, dict[str, Any]]:
    """Return the pods of a namespace by name."""
    objects = manifests.build(replace(PLAN, additions=given_, **changes), "gw0", SECRETS).all()
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == "Pod"}


def contains(whole: Any, part: Any) -> bool:
    """Return whether everything in ``part`` is in ``whole`` at the same place; lists may have grown behind."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) >= len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def test_additions_reach_every_pod_or_the_one_that_is_named() -> None:
    """Where pods may run concerns all of them, a volume usually one."""
    everywhere = PodAddition(manifest={"spec": {"nodeSelector": {"pool": "ci"}}}, file="f")
    volume = {"name": "models", "emptyDir": {}}
    container = {"name": "worker", "volumeMounts": [{"name": "models", "mountPath": "/models"}]}
    one = PodAddition(manifest={"spec": {"volumes": [volume], "containers": [container]}}, file="f", pod="worker")
    found = built(everywhere, one)
    assert [pod["spec"]["nodeSelector"] for pod in found.values()] == [{"pool": "ci"}] * 3
    assert found["worker"]["spec"]["volumes"] == [volume]
    assert found["worker"]["spec"]["containers"][0]["volumeMounts"] == container["volumeMounts"]
    assert len(found["worker"]["spec"]["containers"]) == 1
    assert [entry["name"] for entry in found["database"]["spec"]["volumes"]] == ["data"]


KEYS = st.sampled_from(
    ["name", "containers", "image", "volumes", "env", "labels", "securityContext", "runAsUser", "command", "resources"],
)
VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=3), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=3)),
)


@example(spec={"containers": [{"name": []}]}, metadata={})
@given(spec=st.dictionaries(KEYS, VALUES), metadata=st.dictionaries(KEYS, VALUES))
def test_nothing_that_paddock_sets_is_ever_changed(spec: Any, metadata: Any) -> None:
    """Whatever is added, the pod holds everything it held before, or the addition is refused."""
    before = built()
    manifest = {"spec": spec, "metadata": metadata}
    kept = copy.deepcopy(manifest)
    for pod in before.values():
        try:
            after = additions.applied(pod, [PodAddition(manifest=manifest, file="f")])
        except UsageError as error:
            assert str(error).endswith("."), error  # noqa: PT017 - both ends are allowed, and this is one of them
            continue
        assert contains(after, pod)
    assert manifest == kept
    assert built() == before


PATCH = """\
# first
spec:
  hostname: ours
---
metadata:
  name: worker
spec:
  containers:
    - name: sidecar
      image: x
    - name: worker
      env:
        - {name: A, value: b}
        - name: HOME
          value: /elsewhere
"""


def test_a_change_is_refused_with_its_path_and_line(tmp_path: Path) -> None:
    """A reader finds the field in the patch and in the pod."""
    file = tmp_path / "pods.yaml"
    file.write_text(PATCH, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        built(*pods.patches(file))
    assert str(caught.value) == (
        f"'spec.containers.worker.env.HOME.value' in {file}:15 is set by Paddock; a pod can only be added to."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spec: {activeDeadlineSeconds: 5}", r"'spec.activeDeadlineSeconds' in .*:1 is set by Paddock"),
        ("spec:\n  restartPolicy: null", r"'spec.restartPolicy' in .*:2 is set by Paddock"),
        ("spec:\n  dnsPolicy: null", r"'spec.dnsPolicy' in .*:2 is empty"),
        ("metadata:\n  finalizers: [a/b]", r"'metadata.finalizers' in .*:2 cannot be added"),
        ("status: {}", r"'status' in .*:1 cannot be added"),
        ("metadata: {name: worker}\nspec:\n  containers:\n    - {name: worker, command: [a]}", r"command' in .*:4 is"),
        ("metadata: {name: wroker}", r"'metadata.name' in .*:1 is 'wroker'; expected one of worker, broker, database"),
        ("- a", r"is no partial Pod"),
        ("a: [", r"cannot be read as YAML"),
        ("spec: {hostname: 2026-01-01}", r"holds a date"),
    ],
)  # fmt: skip
def test_a_patch_that_cannot_be_meant_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    """With file and line, and before any cluster is asked."""
    file = tmp_path / "pods.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=sentence) as caught:
        built(*pods.patches(file))
    assert "\n" not in str(caught.value)


def document(tmp_path: Path, text: str) -> pyproject.Pyproject:
    """Return ``[tool.paddock]`` of a file with this text."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return pyproject.read(tmp_path)


def test_the_table_says_it_without_yaml(tmp_path: Path) -> None:
    """Keys for what is wanted most, for all pods or for one; a patch file lies beside pyproject.toml."""
    (tmp_path / "pods.yaml").write_text("spec: {hostname: h}", encoding="utf-8")
    text = """
        [tool.paddock.pod]
        node-selector = {pool = "ci"}
        tolerations = [{key = "ci", operator = "Exists"}]
        priority-class = "low"
        runtime-class = "gvisor"
        annotations = {"sidecar.istio.io/inject" = "false"}
        [tool.paddock.pod.database]
        labels = {team = "a"}
        patch = "pods.yaml"
    """
    found = built(*resolve({}, {}, document(tmp_path, text)).additions)
    spec = found["worker"]["spec"]
    assert (spec["nodeSelector"], spec["priorityClassName"], spec["runtimeClassName"]) == (
        {"pool": "ci"},
        "low",
        "gvisor",
    )
    assert spec["tolerations"] == [{"key": "ci", "operator": "Exists"}]
    assert found["broker"]["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert found["database"]["metadata"]["labels"]["team"] == "a"
    assert found["database"]["spec"]["hostname"] == "h"
    assert "hostname" not in spec


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tool.paddock.pod]\nnode_selector = {a = 'b'}", r":2 has the unknown key 'node_selector'. Did you mean"),
        ("[tool.paddock.pod]\n\nnode-selector = 'a'", r"'node-selector' in \[tool.paddock.pod\] of .*:3 is 'a'"),
        ("[tool.paddock.pod.worker]\nlabels = {a = 1}", r"'labels' in \[tool.paddock.pod.worker\] of .*:2 is {'a': 1}"),
        ("[tool.paddock.pod]\naffinity = {a = 2026-01-01}", r"expected a table"),
        ("[tool.paddock.pod]\ntolerations = ['a']", r"expected a list of tables"),
        ("[tool.paddock.pod]\npatch = 'none.yaml'", r"The patch .*none.yaml cannot be read: No such file"),
        ("[tool.paddock.pod]\nbroker = 'x'", r"has the unknown key 'broker'|expected"),
        ("[tool.paddock]\npod = 3", r"'pod' in \[tool.paddock\] of .*:2 is 3; expected a table"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_table_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    """With file and line and the nearest key."""
    with pytest.raises(UsageError, match=sentence):
        resolve({}, {}, document(tmp_path, text))


def test_a_platform_may_assign_the_user() -> None:
    """No pod names a user then; everything else of the level stays."""
    for pod in built(uid=None).values():
        assert pod["spec"]["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_root_is_for_the_workers_pod_alone() -> None:
    """The baseline level is an opt-out for tests; the services need no root, and PostgreSQL refuses it."""
    found = built(uid=0, security="baseline")
    users = {name: pod["spec"]["securityContext"]["runAsUser"] for name, pod in found.items()}
    assert users == {"worker": 0, "broker": 1000, "database": 1000}
    assert "securityContext" not in found["worker"]["spec"]["containers"][0]
    assert found["broker"]["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    namespace = manifests.build(replace(PLAN, security="baseline"), "gw0", SECRETS).all()[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_root_without_the_level_that_allows_it_is_a_contradiction() -> None:
    """Told with the flag that is missing."""
    with pytest.raises(UsageError, match=r"--paddock-uid is 0, but .* refuses root: add --paddock-security=baseline\."):
        resolve({"uid": "0"}, {}, {})
    assert resolve({"uid": "0", "security": "baseline"}, {}, {}).uid == 0
    assert resolve({"uid": "platform"}, {}, {}).uid == "platform"
