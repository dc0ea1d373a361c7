"""Topic namespaces: there and back, nothing matched that was not, and never another worker's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from paddock.errors import UsageError
from paddock.services.topics import TopicNamespace

LEVEL = st.text(alphabet="abtesgw01 $-é", max_size=4)
TOPICS = st.one_of(
    st.lists(LEVEL, min_size=1, max_size=5).map("/".join),
    st.sampled_from(["test/gw0/a", "$test/gw0/$a", "$SYS/broker/uptime", "$share/g/a", "$aws/things/x", "/", "//"]),
)
FILTERS = st.builds(
    lambda levels, rest: "/".join([*levels, *(["#"] if rest else [])]) or "#",
    st.lists(st.one_of(LEVEL, st.just("+")), max_size=5),
    st.booleans(),
)
SHARES = st.builds(lambda group, inner: f"$share/{group}/{inner}", st.sampled_from(["g", "test"]), FILTERS)
WORKERS = st.sampled_from(["gw0", "gw1", "gw10", "master", "test"])


def matches(pattern: str, topic: str) -> bool:
    """Return what a broker would; of a shared subscription its filter counts."""
    if pattern.startswith("$share/") and pattern.count("/") > 1:
        pattern = pattern.split("/", 2)[2]
    return bool(pattern) and topic_matches_sub(pattern, topic)


def is_servers(topic: str) -> bool:
    """Return whether the topic belongs to the broker."""
    return topic.split("/", maxsplit=1)[0] in {"$SYS", "$CONTROL"}


@given(WORKERS, TOPICS)
def test_a_topic_comes_back_as_it_went(worker: str, topic: str) -> None:
    """Nobody sees the prefix, whatever the topic looks like, even like a prefixed one."""
    namespace = TopicNamespace(worker)
    there = namespace.topic(topic)
    assert namespace.strip(there) == topic
    assert namespace.owns(there)


@given(WORKERS, st.one_of(FILTERS, SHARES, TOPICS))
def test_a_filter_comes_back_as_it_went(worker: str, pattern: str) -> None:
    """R0: wildcards, shared subscriptions and $SYS included."""
    namespace = TopicNamespace(worker)
    assert namespace.strip_filter(namespace.filter(pattern)) == pattern


@given(WORKERS, st.one_of(FILTERS, SHARES), TOPICS.filter(bool))
def test_a_filter_matches_what_it_matched_without_a_namespace(worker: str, pattern: str, topic: str) -> None:
    """A namespace changes no answer of the broker's, among others that # matches no topic with $ before it."""
    namespace = TopicNamespace(worker)
    assert matches(namespace.filter(pattern), namespace.topic(topic)) == matches(pattern, topic)


@given(WORKERS, WORKERS, st.one_of(FILTERS, SHARES), TOPICS.filter(bool))
def test_no_topic_of_another_worker_ever_matches(one: str, other: str, pattern: str, topic: str) -> None:
    """What two workers share is the broker's own topics, and nothing else."""
    if one != other and not is_servers(topic):
        assert not matches(TopicNamespace(one).filter(pattern), TopicNamespace(other).topic(topic))
        assert not TopicNamespace(one).owns(TopicNamespace(other).topic(topic))


@given(WORKERS, TOPICS.filter(bool))
def test_everything_is_everything_of_one_worker(worker: str, topic: str) -> None:
    """The two filters by which a namespace is cleaned match each of its topics, and none of another's."""
    theirs, others = (TopicNamespace(name).topic(topic) for name in (worker, f"{worker}x"))
    found = TopicNamespace(worker).everything
    assert any(matches(pattern, theirs) for pattern in found) != is_servers(topic)
    assert not any(matches(pattern, others) for pattern in found)


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("a/b", "test/gw0/a/b"),
        ("/a", "test/gw0//a"),
        ("#", "test/gw0/#"),
        ("+/b/#", "test/gw0/+/b/#"),
        ("$share/g/a/+", "$share/g/test/gw0/a/+"),
        ("$share/g/$SYS/#", "$share/g/$SYS/#"),
        ("$share/g", "$share/g"),
        ("$SYS/broker/#", "$SYS/broker/#"),
        ("$SYSTEM/x", "$test/gw0/$SYSTEM/x"),
        ("$aws/things/+", "$test/gw0/$aws/things/+"),
        ("", ""),
    ],
)
def test_a_filter_on_the_broker(given: str, there: str) -> None:
    """R0: `test/<worker>/` before every topic, wildcards, `$share/…` and `$SYS` included."""
    assert TopicNamespace("gw0").filter(given) == there


@pytest.mark.parametrize("worker", ["", "gw/0", "+", "#", "$gw0", "a\0"])
def test_what_is_no_level_of_a_topic_is_refused(worker: str) -> None:
    """A worker id with a slash or a wildcard would let in other workers."""
    with pytest.raises(UsageError, match="cannot be a level of a topic namespace"):
        TopicNamespace(worker)
