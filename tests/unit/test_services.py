"""Facts of services on their way into a worker process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paddock.services import broker, database
from paddock.services.environment import from_environment, to_environment
from paddock.specs import ServiceFacts

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


@given(
    st.builds(
        ServiceFacts,
        kind=st.sampled_from(["broker", "database"]),
        host=TEXT,
        port=st.integers(1, 65535),
        username=TEXT,
        password=TEXT,
        database=TEXT,
        authority=TEXT,
        logins=TEXT,
    ),
)
def test_facts_survive_the_environment(facts: ServiceFacts) -> None:
    """What the engine writes is what the fixtures read."""
    assert from_environment(facts.kind, to_environment(facts)) == facts


def test_a_process_without_facts_has_none() -> None:
    """A plain pytest run is told apart from a worker."""
    assert from_environment("broker", {}) is None


def test_every_worker_has_credentials_of_its_own() -> None:
    """One worker's password opens no other worker's service."""
    assert broker.credentials()["PASSWORD"] != broker.credentials()["PASSWORD"]
    assert database.credentials()["PASSWORD"] != database.credentials()["PASSWORD"]


def test_a_password_never_shows_in_a_repr() -> None:
    """Facts end up in tracebacks and reports."""
    secret = database.credentials()
    assert secret["PASSWORD"] not in repr(database.facts(secret))
