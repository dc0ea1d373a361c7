"""What keeps a namespace is named: objects with finalizers, APIs that are down, and what to do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.errors import NotAllowed
from paddock.namespaces import obstacles

if TYPE_CHECKING:
    from paddock.cluster.requests import Request

CONTENT, FINALIZERS = "NamespaceContentRemaining", "NamespaceFinalizersRemaining"
DISCOVERY = "NamespaceDeletionDiscoveryFailure"
SAID = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
CORE = "Some resources are remaining: configmaps. has 2 resource instances"
CUSTOM = "Some resources are remaining: rigs.lab.example.com has 1 resource instances"


def namespace(**conditions: str) -> dict[str, Any]:
    """Return a namespace that is being deleted, with what stands in the way."""
    standing = [{"type": kind, "status": "True", "message": message} for kind, message in conditions.items()]
    over = {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content was deleted"}
    metadata = {"name": "a", "deletionTimestamp": "now"}
    return {"metadata": metadata, "status": {"phase": "Terminating", "conditions": [over, *standing]}}


def held(name: str, *finalizers: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "finalizers": list(finalizers)}}


class Server:
    """Answers by path; what it does not know is forbidden."""

    def __init__(self, **answers: dict[str, Any]) -> None:
        self.answers = answers

    def send(self, request: Request, **_: object) -> dict[str, Any]:
        """Return the answer for a path."""
        if request.path not in self.answers:
            raise NotAllowed("forbidden", status=403)
        return self.answers[request.path]


def explained(manifest: dict[str, Any], answers: dict[str, dict[str, Any]] | None = None) -> str:
    return obstacles.explain(Server(**(answers or {})), manifest)  # type: ignore[arg-type]


def test_an_object_that_a_finalizer_holds_is_named_with_the_command_that_frees_it() -> None:
    """And only that one: what has no finalizer goes by itself."""
    answer = {"/api/v1/namespaces/a/configmaps": {"items": [held("free"), held("stuck", "example.com/hold")]}}
    assert explained(namespace(**{CONTENT: CORE, FINALIZERS: SAID}), answer) == (
        "configmaps/stuck keeps the finalizer example.com/hold. Start what is to remove it, or do so: "
        "kubectl patch configmaps stuck --namespace=a --type=merge "
        """--patch='{"metadata":{"finalizers":null}}'"""
    )


def test_an_object_of_a_users_own_kind_is_found_in_the_version_its_group_prefers() -> None:
    """The condition names plural and group only."""
    answers: dict[str, dict[str, Any]] = {
        "/apis/lab.example.com": {"preferredVersion": {"groupVersion": "lab.example.com/v1beta2"}},
        "/apis/lab.example.com/v1beta2/namespaces/a/rigs": {"items": [held("one", "lab.example.com/power")]},
    }
    assert explained(namespace(**{CONTENT: CUSTOM}), answers).startswith(
        "rigs.lab.example.com/one keeps the finalizer lab.example.com/power."
    )


def test_of_many_objects_some_are_named_and_the_others_counted() -> None:
    """What to do must not be buried."""
    many = [held(f"n{number}", "x/y") for number in range(8)]
    text = explained(namespace(**{CONTENT: CORE}), {"/api/v1/namespaces/a/configmaps": {"items": many}})
    assert text.count("keeps the finalizer") == 3
    assert text.endswith("so do 5 more objects")


@pytest.mark.parametrize("answers", [{}, {"/api/v1/namespaces/a/configmaps": {"items": [held("free")]}}])
def test_what_may_not_be_read_or_says_nothing_leaves_the_namespaces_own_words(answers: dict[str, Any]) -> None:
    """Rights to read everything are the last thing that a clean-up should ask for."""
    assert explained(namespace(**{CONTENT: CORE, FINALIZERS: SAID}), answers) == f"{CORE}; {SAID}"


def test_an_aggregated_api_that_is_down_is_named() -> None:
    """It keeps every namespace of the cluster, whatever is in it."""
    down = {"type": "Available", "status": "False", "message": "endpoints not found"}
    up = {"type": "Available", "status": "True", "message": "all checks passed"}
    services = [
        {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "status": {"conditions": [down]}},
        {"metadata": {"name": "v1.apps"}, "status": {"conditions": [up]}},
    ]
    answers = {"/apis/apiregistration.k8s.io/v1/apiservices": {"items": services}}
    text = explained(namespace(**{DISCOVERY: "Discovery failed for some groups"}), answers)
    assert text.startswith("the aggregated API v1beta1.metrics.k8s.io is down (endpoints not found), so nobody knows")
    assert text.endswith("; Discovery failed for some groups")
    assert "v1.apps" not in text


def test_a_finalizer_of_the_namespace_itself_is_named() -> None:
    """An operator may have put it there."""
    manifest = namespace()
    manifest["metadata"]["finalizers"] = ["example.com/watch"]
    assert explained(manifest) == "the namespace itself keeps the finalizer example.com/watch"


def test_where_nothing_is_said_the_phase_is() -> None:
    """The controller has not looked yet."""
    assert explained(namespace()) == "its phase is Terminating"
