"""Threads that hold up nobody: an executor whose threads the interpreter does not wait for when it ends.

The standard library's waits for its threads at exit, so that one request to a server which has stopped answering would
keep a user who has pressed Ctrl-C twice. It must not know what is run.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class DaemonExecutor(Executor):
    """Runs up to ``threads`` calls at once in daemon threads named after ``name``; they end with ``shutdown``."""

    def __init__(self, threads: int, name: str) -> None:
        self._most, self._name = threads, name
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:  # noqa: ANN401 - as the base class
        """Have ``fn(*args, **kwargs)`` called; see ``concurrent.futures.Executor.submit``.

        Raises:
            RuntimeError: ``shutdown`` was called.
        """
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"Nothing can be submitted any more: {self._name} was shut down.")
            self._calls.put(_Call(future, lambda: fn(*args, **kwargs)))
            if len(self._threads) < self._most:
                number = len(self._threads)
                thread = threading.Thread(target=self._run, name=f"{self._name}_{number}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base class
        """Take no more calls, and wait for those under way; see ``concurrent.futures.Executor.shutdown``."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                self._cancel()
            for _ in self._threads:
                self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel(self) -> None:
        with contextlib.suppress(queue.Empty):
            while (call := self._calls.get_nowait()) is not None:
                call.future.cancel()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make()


class _Call:
    """One call and where its result goes."""

    def __init__(self, future: Future[Any], work: Callable[[], object]) -> None:
        self.future, self._work = future, work

    def make(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
