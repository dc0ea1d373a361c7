"""The controller's end of what tests ask of their worker's place, see ``fixtures.orders``.

Owns the relay from channel to engine: each order in a thread of its own, since the channel's callback runs on the
thread that hears everything else of the worker. It must not know what is asked.
"""

from __future__ import annotations

import contextlib
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from paddock.errors import PaddockError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import execnet

    Assist = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def offer(gateway: execnet.Gateway, assist: Assist) -> execnet.Channel:
    """Return a channel for the worker, on which it sends orders and gets answers, as JSON."""
    channel = gateway.newchannel()
    channel.setcallback(partial(_begin, gateway.id, assist, channel))
    return channel


def _begin(worker: str, assist: Assist, channel: execnet.Channel, order: str) -> None:
    arguments = (worker, assist, channel, order)
    threading.Thread(target=_answer, args=arguments, name=f"order-{worker}", daemon=True).start()


def _answer(worker: str, assist: Assist, channel: execnet.Channel, order: str) -> None:
    try:
        answer = assist(worker, json.loads(order))
    except PaddockError as error:
        answer = {"failure": str(error)}
    with contextlib.suppress(OSError):  # the worker has gone meanwhile
        channel.send(json.dumps(answer))
