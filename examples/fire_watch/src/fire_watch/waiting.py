"""Waiting for a condition with a deadline: quick where it holds, bounded where it does not."""

import time
from collections.abc import Callable

PATIENCE = 15.0
_PAUSE = 0.005


def wait_until(condition: Callable[[], bool], *, timeout: float = PATIENCE, what: str = "the condition") -> None:
    """Return as soon as the condition holds; say what was waited for when it never does."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout:g} s")
        time.sleep(_PAUSE)
