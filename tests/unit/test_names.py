"""Names of runs, namespaces and labels."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock import names
from paddock.errors import UsageError

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def test_run_ids_differ_and_fit_into_names_and_labels() -> None:
    """A run id is part of a namespace name and a label value, so it must be fit for both."""
    drawn = {names.new_run_id() for _ in range(1000)}
    assert len(drawn) > 990
    assert all(DNS_LABEL.fullmatch(run_id) and len(run_id) == 6 for run_id in drawn)


def test_run_ids_cannot_be_misread_or_spell_words() -> None:
    """People read run ids out to each other: no vowels, no look-alikes."""
    letters = set("".join(names.new_run_id() for _ in range(1000)))
    assert letters.isdisjoint("aeiou01l3")


def test_a_namespace_is_named_by_run_and_worker() -> None:
    """A person who reads the name knows whose it is."""
    assert names.namespace_name("k7x2mq", "gw0") == "paddock-k7x2mq-gw0"


@given(worker=st.text(max_size=80))
def test_a_worker_name_gives_a_valid_namespace_or_a_sentence(worker: str) -> None:
    """Kubernetes never sees a name that it would refuse."""
    with suppress(UsageError):
        assert DNS_LABEL.fullmatch(names.namespace_name("k7x2mq", worker))


@pytest.mark.parametrize("worker", ["g" * 60, "gw 0", "", "-", "gw_0", "gw0\n", "größer"])
def test_a_worker_name_that_kubernetes_refuses_is_refused_first(worker: str) -> None:
    """The sentence names the worker, not only the rule."""
    with pytest.raises(UsageError, match="Choose a shorter or plainer name"):
        names.namespace_name("k7x2mq", worker)


def test_every_object_of_a_run_carries_manager_and_run() -> None:
    """What is deleted is found by these two labels and nothing else."""
    assert names.labels("k7x2mq") == {"app.kubernetes.io/managed-by": "paddock", "paddock.dev/run": "k7x2mq"}


def test_worker_and_component_are_added_where_they_apply() -> None:
    """Inspection selects by worker and by part."""
    labels = names.labels("k7x2mq", "gw0", "broker")
    assert labels[names.WORKER] == "gw0"
    assert labels[names.COMPONENT] == "broker"


def test_a_selector_matches_all_of_its_labels() -> None:
    """The order of a mapping does not change the request."""
    assert names.selector({"b": "2", "a": "1"}) == names.selector({"a": "1", "b": "2"}) == "a=1,b=2"
