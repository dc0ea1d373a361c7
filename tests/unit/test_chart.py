"""The chart, as far as it can be checked without Helm: its roles, its values, its versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from paddock import __version__, names
from paddock.cluster.versions import MINIMUM
from paddock.devices import configuration
from paddock.namespaces import rights
from paddock.namespaces.reaper import Reaper
from tests.unit.namespaces.api_server import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.cluster.requests import Request
    from paddock.namespaces.rights import Right

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "paddock"
RENDERED = ROOT / "tests" / "golden" / "charts" / "paddock.golden.yaml"

Granted = set[tuple[str, str, str, str]]
"""Namespace (empty: all), API group, resource and verb."""


def rendered(*kinds: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of these kinds that are installed."""
    yield from (one for one in yaml.safe_load_all(RENDERED.read_text()) if one and one["kind"] in kinds)


def granted(account: str) -> Granted:
    """Return what the roles of an account of the chart grant."""
    return {
        (role["metadata"].get("namespace", ""), group, resource, verb)
        for role in rendered("ClusterRole", "Role")
        if role["metadata"]["name"] == f"paddock-{account}"
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(wanted: Sequence[Right]) -> Granted:
    """Return the same of a list of rights."""
    return {
        (one.namespace, "".join(one.kind.api.split("/")[1:-1]), one.resource, verb)
        for one in wanted
        for verb in one.verbs
    }


@pytest.mark.parametrize(("account", "wanted"), [("reaper", rights.REAPER), ("runner", (*rights.RUN, *rights.HELPFUL))])
def test_a_role_holds_what_is_asked_for_and_nothing_more(account: str, wanted: Sequence[Right]) -> None:
    """Rule by rule, in the namespace of the records where that is enough."""
    assert granted(account) == asked(wanted)
    bound = [one for one in rendered("ClusterRoleBinding", "RoleBinding") if one["metadata"]["name"].endswith(account)]
    assert [one["roleRef"]["name"] for one in bound] == [f"paddock-{account}"] * 2
    assert {one["subjects"][0]["name"] for one in bound} == {f"paddock-{account}"}


class Witness:
    """Passes requests on to an API server, and notes the verb and the kind of each."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.seen: set[tuple[str, str]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def _note(self, request: Request) -> None:
        parts = request.path.split("/")
        plural = next(one for one in ("pods", "leases", "namespaces") if one in parts[-2:])
        verbs = {"GET": ("list", "get"), "PATCH": ("", "patch"), "DELETE": ("deletecollection", "delete")}
        self.seen.add((verbs[request.method][parts[-1] != plural], plural))

    def send(self, request: Request, **more: Any) -> Any:
        self._note(request)
        return self._server.send(request, **more)

    def delete(self, request: Request, **more: Any) -> bool:
        self._note(request)
        return self._server.delete(request, **more)

    def list_objects(self, kind: Any, **more: Any) -> Any:
        self.seen.add(("list", kind.plural))
        return self._server.list_objects(kind, **more)


def test_the_reapers_rights_are_its_requests() -> None:
    """It finds a run that nobody leads, takes it over and ends it: each right is used, and no other is needed."""
    server = ApiServer()
    server.record("aa", "gone")
    server.namespace("aa", "gw0")
    witness: Any = Witness(server)
    Reaper(witness, "me", lambda _: True).sweep(seconds=0)
    Reaper(witness, "me", lambda _: True).sweep(seconds=0)
    assert not server.namespaces
    assert witness.seen == {(verb, one.kind.plural) for one in rights.REAPER for verb in one.verbs}


def test_the_reaper_is_confined_to_the_labels_that_runs_have() -> None:
    """The policy names them as the code does, and holds for both accounts."""
    (policy,) = rendered("ValidatingAdmissionPolicy")
    (validation,) = policy["spec"]["validations"]
    assert f"'{names.MANAGED_BY}'" in validation["expression"]
    assert f"== '{names.MANAGED_BY_VALUE}'" in validation["expression"]
    assert f"'{names.RUN}' in" in validation["expression"]
    (condition,) = policy["spec"]["matchConditions"]
    accounts = [one["metadata"] for one in rendered("ServiceAccount")]
    names_of_them = [f"'system:serviceaccount:{one['namespace']}:{one['name']}'" for one in accounts]
    assert {one["namespace"] for one in accounts} == {names.RUN_RECORDS_NAMESPACE}
    assert len(names_of_them) == 2
    assert all(name in condition["expression"] for name in names_of_them)


def test_the_reapers_pod_is_restricted() -> None:
    """It runs in a namespace of the strictest level, and writes nowhere but in memory."""
    (deployment,) = rendered("Deployment")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}


def objects_of(schema: Mapping[str, Any], place: str = "values") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every value that the schema describes, with its place."""
    yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from objects_of(part, f"{place}.{name}")
    if "items" in schema:
        yield from objects_of(schema["items"], f"{place}[]")


SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FREE = {
    *(f"values.{part}.{value}" for part in ("reaper", "devicePlugin") for value in ("resources", "tolerations[]")),
    "values.reaper.affinity",
    "values.global",
    "values.devicePlugin.devices",
}
"""Kubernetes' own objects, which the API server checks, and what has names that users give."""


def test_the_schema_knows_every_value_and_no_other() -> None:
    """A value that is misspelt is refused, and each says what it is for."""
    described = dict(objects_of(SCHEMA))
    assert [place for place, one in described.items() if place.count(".") and not place.endswith("]")
            and "description" not in one] == []  # fmt: skip
    loose = {place for place, one in described.items() if one.get("type") == "object"
             and one.get("additionalProperties") not in (False, {"type": "string"})}  # fmt: skip
    assert loose == FREE


def test_the_schema_knows_what_a_device_may_have() -> None:
    """As the plugin does, which would refuse anything else on every node."""
    kinds = SCHEMA["properties"]["devicePlugin"]["properties"]["devices"]["additionalProperties"]
    assert set(kinds["properties"]) == set(configuration.KEYS)


def keys(values: Mapping[str, Any], schema: Mapping[str, Any], place: str = "values") -> Iterator[str]:
    """Yield the places of all values that the schema has properties for."""
    for name, value in values.items():
        yield f"{place}.{name}"
        if "properties" in schema["properties"][name]:
            yield from keys(value, schema["properties"][name], f"{place}.{name}")


def test_every_value_has_a_default() -> None:
    """What can be set stands in values.yaml, where it is explained."""
    given = set(keys(yaml.safe_load((CHART / "values.yaml").read_text()), SCHEMA))
    assert given == {place for place, _ in objects_of(SCHEMA) if "[" not in place} - {"values", "values.global"}


def test_the_chart_goes_with_this_version() -> None:
    """Its version, and the oldest Kubernetes, are those of the package."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert chart["kubeVersion"] == f">={'.'.join(map(str, MINIMUM))}.0-0"
