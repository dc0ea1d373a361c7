"""The life of one server: started when somebody asks, watched, started again when it dies, ended with its run.

Owns the table of its states. One thread at a time moves a server on; whoever asks meanwhile waits for the same answer.
It must not know which server it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from paddock.deadlines import Deadline
from paddock.engines.local.child import Child
from paddock.engines.local.places import tell
from paddock.errors import LeaseError
from paddock.node import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paddock.engines.local.places import Place
    from paddock.engines.local.wanted import Start, Wanted

_PAUSE = 0.005
"""Seconds between two questions whether it answers; each is a refused connection, which takes less than one."""
_RESTARTS = 5
"""As often a server that had answered is started again when it dies: a test may kill its own several times."""
_PATIENCE = 2.0
"""Seconds that a server has to end by itself before it is killed."""
_TOLD = 400
"""Most characters of a server's last words in a sentence."""


class State(Enum):
    """What a server is at."""

    ABSENT = auto()
    """Nobody has asked for it."""
    STARTING = auto()
    READY = auto()
    FAILED = auto()
    """It cannot run, and the sentence says why."""
    ENDED = auto()


class Event(Enum):
    """What moves a server on."""

    ASKED = auto()
    ANSWERED = auto()
    REFUSED = auto()
    """It could not be prepared, ended before it answered, or did not answer in time."""
    DIED = auto()
    DIED_AGAIN = auto()
    """It died more often than a server is started again."""
    ENDING = auto()


TABLE = {
    (State.ABSENT, Event.ASKED): State.STARTING,
    (State.STARTING, Event.ANSWERED): State.READY,
    (State.STARTING, Event.REFUSED): State.FAILED,
    (State.READY, Event.DIED): State.STARTING,
    (State.READY, Event.DIED_AGAIN): State.FAILED,
    **{(state, Event.ENDING): State.ENDED for state in State},
}
"""What is not here changes nothing."""


class Running(NamedTuple):
    """A server's process."""

    child: Child
    answers: Callable[[], bool]
    politely: signal.Signals


class Server:
    """One server of one worker."""

    def __init__(self, wanted: Wanted, worker: str, place: Place, prepare: Callable[[Wanted, Path], Start]) -> None:
        self._wanted, self._worker, self._place, self._prepare = wanted, worker, place, prepare
        self._folder = place.worker(worker)
        self._changed = threading.Condition()
        self._state, self._failure = State.ABSENT, ""
        self._deaths = 0
        self._running: Running | None = None
        self._held: tuple[int, ...] = ()

    def hold(self, descriptors: Sequence[int]) -> None:
        """Have its process inherit ``descriptors``, which are closed here once it has ended for good."""
        with self._changed:
            self._held = (*self._held, *descriptors)

    @property
    def state(self) -> State:
        """What it is at."""
        with self._changed:
            return self._state

    @property
    def log(self) -> Path:
        """What it writes, from its first start on."""
        return self._folder / f"{self._wanted.name}.log"

    def ask(self) -> str:
        """Start it if nobody has, and wait until it answers; return why it does not, or nothing."""
        with self._changed:
            if self._advance(Event.ASKED):
                name = f"server-{self._worker}-{self._wanted.name}"
                threading.Thread(target=self._live, name=name, daemon=True).start()
            self._changed.wait_for(lambda: self._state is not State.STARTING)
            return self._failure if self._state is not State.READY else ""

    def end(self) -> None:
        """End it with everything it holds; idempotent."""
        with self._changed:
            self._advance(Event.ENDING)
            running = self._running
        if running:
            running.child.end(running.politely, _PATIENCE)
        with self._changed:
            held, self._held = self._held, ()
        for descriptor in held:
            os.close(descriptor)

    def _move(self, event: Event) -> None:
        with self._changed:
            self._advance(event)

    def _advance(self, event: Event) -> bool:
        state = TABLE.get((self._state, event))
        if state is None:
            return False
        self._state = state
        self._changed.notify_all()
        return True

    def _live(self) -> None:
        """Start it, and start it again, until it has failed or is to end."""
        while self.state is State.STARTING:
            try:
                running = self._begin()
                self._await_answer(running)
            except (LeaseError, OSError) as error:
                self._fail(Event.REFUSED, str(error))
                return
            self._tell("")
            self._move(Event.ANSWERED)
            self._outlive(running.child)

    def _outlive(self, child: Child) -> None:
        code = child.wait() or 0
        self._deaths += 1
        if self._deaths > _RESTARTS:
            self._fail(Event.DIED_AGAIN, f"{self._ended(code)} It has died {self._deaths} times.")
        self._move(Event.DIED)

    def _begin(self) -> Running:
        start = self._prepare(self._wanted, self._folder / self._wanted.name)
        with self._changed, self.log.open("ab") as log:
            if self._state is not State.STARTING:
                raise LeaseError("The run has ended.")
            child = Child(_spawn(start, log.fileno(), self._held))
            self._running = Running(child, start.answers, start.politely)
        if identity := processes.identify(child.pid):
            self._place.note(identity, f"{self._wanted.name} of {self._worker}")
        return self._running

    def _await_answer(self, running: Running) -> None:
        deadline = Deadline(self._wanted.limit)
        while not _answers(running.answers):
            code = running.child.wait(_PAUSE)
            if code is not None:
                raise LeaseError(self._ended(code))
            if deadline.passed:
                running.child.end(running.politely, _PATIENCE)
                raise LeaseError(
                    f"It gave no answer at port {self._wanted.port} within {deadline.seconds:g} s; "
                    f"allow more with --paddock-service-limit.{self._last_words()}"
                )

    def _fail(self, event: Event, reason: str) -> None:
        sentence = f"Service {self._wanted.name} of worker {self._worker} does not run: {reason}"
        self._tell(sentence)  # before anybody is answered
        with self._changed:
            self._failure = sentence
            self._advance(event)

    def _tell(self, failure: str) -> None:
        with suppress(OSError):  # the folder goes at the end of the run
            tell(self._folder, self._wanted.name, failure)

    def _ended(self, code: int) -> str:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"It {how}.{self._last_words()}"

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            said = " ".join("; ".join(line for line in lines[-3:] if line).split())
            return f" It said: {said[-_TOLD:]}" if said else ""
        return ""


def _spawn(start: Start, log: int, held: Sequence[int]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            start.argv,
            cwd=start.directory,
            env=start.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=held,
            start_new_session=True,  # so that what it starts ends with it
            user=start.user.uid if start.user else None,
            group=start.user.gid if start.user else None,
            extra_groups=[] if start.user else None,
        )
    except OSError as error:
        raise LeaseError(f"{start.argv[0]} cannot be started: {error.strerror}.") from None


def _answers(asked: Callable[[], bool]) -> bool:
    with suppress(OSError):
        return asked()
    return False
