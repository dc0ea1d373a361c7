"""Requests as values."""

from __future__ import annotations

from paddock.cluster import requests


def test_an_object_is_created_in_its_own_namespace() -> None:
    """The path follows kind and namespace of the manifest."""
    manifest = {"kind": "Pod", "metadata": {"name": "worker", "namespace": "ns"}}
    assert requests.create(manifest).target == "/api/v1/namespaces/ns/pods"


def test_a_namespace_is_created_beside_all_others() -> None:
    """A kind without a namespace has no namespace in its path."""
    manifest = {"kind": "Namespace", "metadata": {"name": "ns"}}
    assert requests.create(manifest).target == "/api/v1/namespaces"


def test_deleting_pods_gives_no_grace() -> None:
    """Pods go at once, so that the namespace's end is not held up."""
    assert requests.delete_pods("ns").target == "/api/v1/namespaces/ns/pods?gracePeriodSeconds=0"


def test_a_first_watch_asks_for_what_exists() -> None:
    """Without a version the server replays the present state, which saves the list."""
    target = requests.watch(requests.POD, selector="a=b", resource_version="", seconds=9).target
    assert target == "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=9&labelSelector=a%3Db"


def test_the_command_of_an_exec_keeps_its_order() -> None:
    """Every argument is a query parameter of its own, in order."""
    target = requests.execute("ns", "worker", "worker", ["python", "-c", "1 & 2"])
    assert target.endswith("stderr=true&command=python&command=-c&command=1+%26+2")


def test_a_request_says_nothing_of_its_body() -> None:
    """Bodies hold credentials; errors and logs show requests."""
    manifest = {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "stringData": {"PASSWORD": "hunter2"}}
    assert "hunter2" not in str(requests.create(manifest))


def test_an_annotation_leaves_all_else_as_it_is() -> None:
    """A merge patch of nothing but the annotations; its content type is no plain JSON."""
    request = requests.annotate(requests.NAMESPACE, "ns", {"a": "b"})
    assert (request.method, request.target) == ("PATCH", "/api/v1/namespaces/ns")
    assert request.body == {"metadata": {"annotations": {"a": "b"}}}
    assert request.content_type == "application/merge-patch+json"


def test_a_log_is_followed_only_when_asked() -> None:
    """What was not asked for is not in the query."""
    assert requests.logs("ns", "worker").target == "/api/v1/namespaces/ns/pods/worker/log"
    followed = requests.logs("ns", "worker", follow=True, tail=0).target
    assert followed == "/api/v1/namespaces/ns/pods/worker/log?follow=true&tailLines=0"


def test_a_review_asks_for_one_right() -> None:
    """The core group has no name; all namespaces are none."""
    asked = requests.review("create", requests.POD, subresource="exec").body
    assert asked
    assert asked["spec"]["resourceAttributes"] == {
        "verb": "create",
        "resource": "pods",
        "group": "",
        "subresource": "exec",
    }
