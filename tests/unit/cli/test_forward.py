"""What ``paddock forward`` says about the way in."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from paddock.cli import forward
from paddock.errors import InfrastructureError, UsageError
from tests.unit.cli.inspected import pod, worker

if TYPE_CHECKING:
    from paddock.namespaces.inventory import PodState

ENTRIES = {"USERNAME": "postgres", "DATABASE": "postgres"}


def test_the_port_is_the_one_that_kubectl_took() -> None:
    """Nobody but kubectl knows which port was free."""
    assert forward.listening(io.StringIO("W1 a warning\nForwarding from 127.0.0.1:41231 -> 5432\n")) == 41231
    with pytest.raises(InfrastructureError, match="could not forward"):
        forward.listening(io.StringIO("error: lost connection\n"))


def test_a_person_gets_a_command_to_paste() -> None:
    """Host, port, user, and a client's command line that fetches the password itself."""
    way = forward.way_in(worker("gw0"), pod("database"), 41231, "kubectl", ENTRIES)
    assert forward.told(way).splitlines() == [
        "database of k7x2mq/gw0 at 127.0.0.1:41231, user postgres, database postgres",
        (
            '  PGPASSWORD="$(kubectl get secret database --namespace paddock-k7x2mq-gw0 '
            "-o jsonpath='{.data.PASSWORD}' | base64 -d)\" psql -h 127.0.0.1 -p 41231 -U postgres postgres"
        ),
        "Ctrl-C ends it.",
    ]


def test_the_broker_is_told_with_a_client_of_its_own() -> None:
    """Every topic, as one wants to see first."""
    way = forward.way_in(worker("gw0"), pod("broker"), 41231, "paddock node kubectl", {"USERNAME": "paddock"})
    assert 'mosquitto_sub -h 127.0.0.1 -p 41231 -u paddock -P "$(paddock node kubectl get' in forward.told(way)


def test_a_declared_service_has_no_account() -> None:
    """Nobody knows which client speaks to it: host and port are all there is to tell."""
    assert forward.port_of(worker("gw0"), pod("cache")) == 6379
    way = forward.way_in(worker("gw0"), pod("cache"), 41231, "kubectl", {})
    assert forward.told(way).splitlines() == ["cache of k7x2mq/gw0 at 127.0.0.1:41231", "Ctrl-C ends it."]
    assert set(way) == {"service", "worker", "host", "port"}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (pod("worker"), "'worker' has no port to forward; expected one of: broker, database."),
        (pod("broker", "it is gone"), "The pod broker of k7x2mq/gw0 does not run: it is gone."),
    ],
)
def test_what_has_no_port_is_refused(chosen: PodState, sentence: str) -> None:
    """Before kubectl is started."""
    with pytest.raises(UsageError, match=sentence):
        forward.port_of(worker("gw0"), chosen)
