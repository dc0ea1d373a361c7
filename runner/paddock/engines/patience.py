"""The wait for something that others hold, in whatever engine. It must not know what is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from paddock.deadlines import Deadline
from paddock.errors import LeaseError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

Found = TypeVar("Found")


def await_turn(
    look: Callable[[], Found | None], seconds: float, every: float, given_up: threading.Event, what: Callable[[], str]
) -> Found:
    """Return what ``look`` finds, as soon as it is not ``None``; it is asked at once and then every so many seconds.

    Raises:
        LeaseError: nothing was found within ``seconds``, after which ``what`` says for what that was, or it was
            ``given_up``.
    """
    deadline = Deadline(seconds)
    while (found := look()) is None:
        if deadline.passed:
            raise LeaseError(f"It has waited for {seconds:g} s in vain{what()}.")
        if given_up.wait(deadline.at_most(every)):
            raise LeaseError("The run ended before it was its turn.")
    return found
