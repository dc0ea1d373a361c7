"""The stream to a worker in a pod, as engines and xdist see it.

Owns the public methods; they hand everything to a conversation and wait on monitors. It must not know clusters.
"""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING, Any

from paddock.errors import StreamClosed
from paddock.workers.buffers import Lines, Outcome, WriteRoom
from paddock.workers.conversation import Conversation, End, Kill, Send, Urgent
from paddock.workers.inpod import wire
from paddock.workers.inpod.keepalive import Keepalive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from paddock.specs import ExitStatus
    from paddock.workers.connection import Connection

GIVE_UP = 30.0
"""Seconds without a connection after which the worker counts as out of reach: an API server restarts in less."""
GATHER_PATIENCE = 10.0
"""Seconds for a killed worker's supervisor to send more of the artifacts: it looks through all files first."""
_HANDED_OVER = 1 << 20  # bytes writers may be ahead of the conversation; the wire's window comes on top


class PodStream:
    """A ``WorkerStream`` over connections that ``dial`` makes, the first one at once; two threads until it is over.

    Call ``send_sources`` (any number of times) and ``start``; they wait for room only, never for a pod. ``dial`` runs
    in a thread of the stream. It is called again after a loss, for up to ``give_up`` seconds;
    ``LeaseError``, ``NotFound``, ``NotAllowed`` and ``UsageError`` from it end the stream at once.
    ``on_stderr`` gets each line of the worker's stderr without its line end; it must not block.
    """

    def __init__(
        self,
        dial: Callable[[], Connection],
        on_stderr: Callable[[bytes], None] = lambda _line: None,
        *,
        name: str = "worker",
        give_up: float = GIVE_UP,
        keepalive: Keepalive | None = None,
    ) -> None:
        self._room, self._outcome = WriteRoom(_HANDED_OVER), Outcome()
        self._write_closed = self._wants_artifacts = self._is_left = False
        self._conversation = Conversation(
            dial,
            stderr=Lines(on_stderr),
            room=self._room,
            outcome=self._outcome,
            keepalive=keepalive or Keepalive(),
            give_up=give_up,
        )
        self._incoming = self._conversation.incoming
        self._conversation.receiver.start(f"paddock-{name}-receive")
        threading.Thread(target=self._conversation.run, name=f"paddock-{name}-stream", daemon=True).start()

    # --- before the worker runs

    def send_sources(self, chunks: Iterable[bytes], root: str) -> None:
        """Have the archive in ``chunks`` (see ``sources.pack``) unpacked below ``root``, an absolute path in the pod.

        Raises:
            StreamClosed: ``kill`` was called.
            StreamBroken: the worker is out of reach for good.
        """
        self._order({"do": "unpack", "root": root})
        for chunk in chunks:
            self._send(wire.SOURCES, chunk)
        self._conversation.put(End(wire.SOURCES))

    def send_facts(self, name: str, mapping: Mapping[str, object]) -> None:
        """Have ``mapping`` written as ``facts/<name>.json`` beside the supervisor's socket; also while tests run.

        Raises:
            StreamClosed, StreamBroken: as ``send_sources``.
        """
        self._order({"do": "facts", "name": name, "mapping": dict(mapping)})

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        links: Mapping[str, str] | None = None,
        folders: Sequence[str] = (),
    ) -> None:
        """Have the worker started once all sources sent before are unpacked, and ``links`` and ``folders`` are made.

        ``links`` maps paths to targets. ``env`` is the worker's whole environment. What fails is told by ``wait``.

        Raises:
            StreamClosed, StreamBroken: as ``send_sources``.
        """
        made = {"links": dict(links or {}), "folders": list(folders)}
        self._order({"do": "start", "argv": list(argv), "env": dict(env), "cwd": cwd} | made)

    def want_artifacts(self, root: str, patterns: Sequence[str], size: int) -> None:
        """Have files that match ``patterns`` below ``root`` sent once the worker has ended, if it wrote them.

        To be called before ``start``. ``size`` are the most bytes, of all files together.

        Raises:
            StreamClosed, StreamBroken: as ``send_sources``.
        """
        self._wants_artifacts = True
        self._order({"do": "artifacts", "root": root, "patterns": list(patterns), "size": size})

    def wait_started(self, timeout: float) -> int | None:
        """Return the worker's process id, or ``None`` after ``timeout`` seconds or an early end: ask ``wait(0)``."""
        return self._outcome.wait_started(timeout)

    # --- WorkerStream

    def write(self, data: bytes) -> None:
        """Send all of ``data`` to the worker's stdin; see ``WorkerStream``."""
        if self._write_closed:
            raise StreamClosed("The worker's stdin was closed before; nothing more can be written to it.")
        self._send(wire.STDIN, data)

    def read(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes of the worker's stdout, ``b""`` at its end; see ``WorkerStream``."""
        return self._incoming.take(count)

    def close_write(self) -> None:
        """Close the worker's stdin behind what was written; see ``WorkerStream``."""
        if not self._write_closed:
            self._write_closed = True
            self._conversation.put(End(wire.STDIN))

    def interrupt(self) -> None:
        """Send SIGINT to the worker; see ``WorkerStream``."""
        self._conversation.put(Urgent({"do": "signal", "number": int(signal.SIGINT)}))

    def ask_stacks(self) -> None:
        """Have the worker's stacks taken; see ``WorkerStream``."""
        self._outcome.ask_stacks()
        self._conversation.put(Urgent({"do": "stacks"}))

    def wait_stacks(self, timeout: float) -> str:
        """Return the stacks that were taken last; see ``WorkerStream``."""
        return self._outcome.wait_stacks(timeout)

    def leave(self) -> bool:
        """Read no more and leave the worker to itself, unless it has ended; return whether it was left.

        A ``kill`` afterwards does nothing: the worker ends by itself, or with its pod.
        """
        self._is_left = self.wait(0) is None
        if self._is_left:
            self._write_closed = True
            self._incoming.end(discard=True)
        return self._is_left

    def kill(self) -> None:
        """End the worker and this stream at once; see ``WorkerStream``. What was not read yet is dropped."""
        if self._is_left:
            return
        self._write_closed = True
        self._room.close(StreamClosed("The worker was killed by this run; nothing more can be written to it."))
        self._incoming.end(discard=True)
        self._conversation.put(Kill(GATHER_PATIENCE) if self._wants_artifacts else Kill())

    # --- after the worker has run

    def read_artifacts(self, count: int) -> bytes:
        """Return 1 to ``count`` bytes of the artifacts' archive, ``b""`` at its end; see ``artifacts.receive``."""
        return self._conversation.artifacts.take(count)

    def gathered(self) -> Mapping[str, Any] | None:
        """Return the fields of ``inpod.artifacts.Gathered`` at the archive's end; ``None`` if the end never came."""
        return self._conversation.gathered

    def drop_artifacts(self) -> None:
        """Want no more of the artifacts: who reads them sees their end, and a kill waits for them no longer."""
        self._wants_artifacts = False
        self._conversation.artifacts.end(discard=True)

    def wait(self, timeout: float) -> ExitStatus | None:
        """Return how the worker ended, or ``None`` after ``timeout`` seconds; see ``WorkerStream``."""
        return self._outcome.wait_ended(timeout)

    def _send(self, channel: int, data: bytes) -> None:
        self._room.reserve(len(data))
        self._conversation.put(Send(channel, bytes(data)))

    def _order(self, order: dict[str, Any]) -> None:
        self._send(wire.CONTROL, json.dumps(order).encode())
