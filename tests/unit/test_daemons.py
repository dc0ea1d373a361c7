"""Laws of the executor whose threads hold up nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

from paddock.daemons import DaemonExecutor

PATIENCE = 10.0


def test_calls_give_their_results_and_errors() -> None:
    """As the standard library's executor does."""
    with DaemonExecutor(2, "crew") as crew:
        assert list(crew.map(lambda number: number + 1, range(20))) == list(range(1, 21))
        with pytest.raises(KeyError):
            crew.submit({}.__getitem__, "absent").result(PATIENCE)
        with pytest.raises(KeyboardInterrupt):  # whatever it is: who waits must hear of it
            crew.submit(_interrupted).result(PATIENCE)


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_so_many_calls_run_at_once_and_no_more() -> None:
    """Each of the threads has a call; the next one waits."""
    together, alone = threading.Barrier(2), threading.Event()
    with DaemonExecutor(2, "crew") as crew:
        first, second = crew.submit(together.wait, PATIENCE), crew.submit(together.wait, PATIENCE)
        assert {first.result(PATIENCE), second.result(PATIENCE)} == {0, 1}
        held = [crew.submit(alone.wait, PATIENCE) for _ in range(2)]
        behind = crew.submit(lambda: "late")
        assert not behind.done()
        alone.set()
        assert [one.result(PATIENCE) for one in held] == [True, True]
        assert behind.result(PATIENCE) == "late"
    assert not any(thread.name.startswith("crew") for thread in threading.enumerate())


def test_what_was_not_begun_can_be_cancelled() -> None:
    """What is under way is waited for; nothing can be submitted any more."""
    begun, go_on = threading.Event(), threading.Event()
    crew = DaemonExecutor(1, "crew")

    def hold() -> bool:
        begun.set()
        return go_on.wait(PATIENCE)

    under_way = crew.submit(hold)
    behind = crew.submit(lambda: "never")
    assert begun.wait(PATIENCE)
    crew.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    crew.shutdown()
    assert under_way.result(PATIENCE)
    with pytest.raises(CancelledError):
        behind.result(PATIENCE)
    with pytest.raises(RuntimeError, match="crew was shut down"):
        crew.submit(print)


def test_the_interpreter_ends_without_waiting_for_a_call() -> None:
    """A request that hangs does not keep whoever has left."""
    program = (
        "import threading; from paddock.daemons import DaemonExecutor; begun = threading.Event();"
        "DaemonExecutor(1, 'crew').submit(lambda: (begun.set(), threading.Event().wait())); begun.wait()"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=PATIENCE, check=False).returncode == 0
