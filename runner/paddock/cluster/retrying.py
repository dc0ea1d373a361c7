"""Retry as a value: which errors are worth another try, and after how long.

Pure but for the loop that sleeps. It must not know requests or HTTP.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from paddock.errors import ClusterError, ClusterUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.deadlines import Deadline

Result = TypeVar("Result")


def is_transient(error: ClusterError) -> bool:
    """Whether no usable answer came: refused, cut, throttled or a 5xx."""
    return isinstance(error, ClusterUnreachable)


@dataclass(frozen=True)
class RetryPolicy:
    """Tries again while ``worth_it`` says so and the deadline allows, with doubling pauses.

    ``first_pause`` and ``longest_pause`` are seconds. The first pause is short because the usual causes are
    a controller that needs some 20 ms more (measured) and a component that is being restarted. A server that says how
    long it wants to be left alone is left alone for that long; where the deadline comes first, nobody waits for it.
    """

    worth_it: Callable[[ClusterError], bool] = is_transient
    first_pause: float = 0.02
    longest_pause: float = 1.0

    def run(self, attempt: Callable[[], Result], deadline: Deadline) -> Result:
        """Return ``attempt()``'s result; its last error is raised when retrying is pointless or too late.

        An attempt that the deadline has cut short says nothing of the reason: the error before it is raised then.
        """
        usual = self.first_pause
        before: ClusterError | None = None
        while True:
            try:
                return attempt()
            except ClusterError as error:
                pause = max(usual, error.retry_after)
                if not self.worth_it(error):
                    raise
                if deadline.remaining() <= pause:
                    telling = before if before and deadline.passed else error
                    raise telling from telling.__cause__
                before = error
            time.sleep(pause)
            usual = min(usual * 2, self.longest_pause)


DEFAULT_POLICY = RetryPolicy()

ONCE = RetryPolicy(worth_it=lambda _error: False)
"""For questions whose answer is good to have, and not worth a wait."""
