from __future__ import annotations

import pytest

from paddock.workers.inpod.keepalive import Keepalive
from paddock.workers.inpod.wire import WireError


def test_a_silent_peer_is_asked_once_an_interval() -> None:
    """Silence of an interval asks; the next question waits for another interval."""
    keepalive = Keepalive(interval=5, timeout=20)
    keepalive.connected(100.0)
    assert not keepalive.asks(104.9)
    assert keepalive.asks(105.0)
    assert not keepalive.asks(109.9)
    assert keepalive.asks(110.0)


def test_a_peer_that_talks_is_not_asked() -> None:
    """Bytes of any kind are a sign of life."""
    keepalive = Keepalive(interval=5, timeout=20)
    keepalive.connected(100.0)
    keepalive.heard(104.0)
    assert not keepalive.asks(108.9)


def test_a_dead_connection_is_given_up_with_a_sentence() -> None:
    """After the time-out the connection is broken, and the message says how long it was silent."""
    keepalive = Keepalive(interval=5, timeout=20)
    keepalive.connected(100.0)
    with pytest.raises(WireError, match="for 20 s"):
        keepalive.asks(120.0)


def test_a_new_connection_starts_afresh() -> None:
    """The silence of an old connection does not count against the next."""
    keepalive = Keepalive(interval=5, timeout=20)
    keepalive.connected(100.0)
    keepalive.connected(130.0)
    assert not keepalive.asks(134.0)


def test_the_wait_ends_when_something_is_due() -> None:
    """``wait`` names the next question or the time-out, whichever is sooner, and is never negative."""
    keepalive = Keepalive(interval=5, timeout=8)
    keepalive.connected(100.0)
    assert keepalive.wait(101.0) == 4.0
    keepalive.asks(105.0)
    assert keepalive.wait(105.0) == 3.0
    assert keepalive.wait(200.0) == 0.0
