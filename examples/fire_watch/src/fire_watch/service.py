"""The watch itself: listens to the cameras, asks the consensus, commands the actuators, writes everything down.

The network thread only puts messages in a queue; one thread of ours takes them out, so that no state needs a lock
and a command may wait for its acknowledgement without holding up the connection.
"""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import psycopg

from fire_watch import topics
from fire_watch.cameras import CameraRegistry
from fire_watch.clock import SYSTEM_CLOCK, Clock
from fire_watch.consensus import Consensus
from fire_watch.events import EventStore
from fire_watch.leadership import Leadership
from fire_watch.link import Link, LinkError, Will
from fire_watch.messages import Command, Decision, Detection, MessageError, Mode, Override, Presence, decode, encode
from fire_watch.settings import Settings
from fire_watch.trigger import Commander, Trigger

CLIENT_ID = "fire-watch"
_LOG = logging.getLogger(__name__)
_Job = Callable[[], None]


class FireWatch:
    """One running watch; its session stays on the broker while it is away, so that no detection is lost."""

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK) -> None:
        self.cameras = CameraRegistry()
        self.rejected = 0
        self._settings = settings
        self._clock = clock
        self._consensus = Consensus(settings.rule, clock)
        self._trigger = Trigger(settings.policy, clock)
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="fire-watch")
        self._link = self._make_link()
        self._commander = Commander(self._link.publish, settings.policy)

    def start(self) -> None:
        """Take the lead, open database and broker, and begin; what was opened is closed again if one of them fails."""
        with ExitStack() as opened:
            self._open(opened)
            self._opened = opened.pop_all()

    def stop(self) -> None:
        """Finish what is in the queue, say so, and leave; stopping twice is harmless."""
        self._opened.close()

    @property
    def mode(self) -> Mode:
        """Who is in charge at this moment."""
        return self._trigger.mode

    @property
    def link(self) -> Link:
        """The connection, for drills that cut it."""
        return self._link

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self, opened: ExitStack) -> None:
        leadership = Leadership(self._settings.database_url)
        leadership.take()
        opened.callback(leadership.close)
        self._store = opened.enter_context(EventStore(self._settings.database_url))
        self._store.create()
        opened.enter_context(self._link)
        self._say(Presence.ONLINE)
        self._show_mode()
        opened.callback(self._say, Presence.OFFLINE)
        self._thread.start()
        opened.callback(self._finish)

    def _finish(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _make_link(self) -> Link:
        handlers = {
            topics.ALL_CAMERA_STATUS: self._later(self._camera_status),
            topics.ALL_DETECTIONS: self._later(self._detection),
            topics.OVERRIDE: self._later(self._override),
            topics.ALL_ACKNOWLEDGEMENTS: self._acknowledged,
        }
        will = Will(topic=topics.SERVICE_STATUS, payload=Presence.OFFLINE.encode())
        broker = self._settings.broker
        return Link(broker, CLIENT_ID, handlers=handlers, will=will, on_return=self._returned, kept_session=True)

    def _later(self, handle: Callable[[bytes], None]) -> Callable[[str, bytes], None]:
        return lambda _topic, payload: self._jobs.put(lambda: handle(payload))

    def _acknowledged(self, topic: str, payload: bytes) -> None:
        """Straight to the commander: our thread may be waiting for just this answer."""
        self._commander.heard(topic, payload)

    def _work(self) -> None:
        while job := self._jobs.get():
            self._attempt(job)

    def _attempt(self, job: _Job) -> None:
        """One message that fails must not end the watch."""
        try:
            job()
        except MessageError as error:
            self.rejected += 1
            _LOG.warning("rejected a message: %s", error)
        except (LinkError, psycopg.Error):
            _LOG.exception("could not deal with a message")

    def _camera_status(self, payload: bytes) -> None:
        status = self.cameras.heard("", payload)
        if status and status.presence is Presence.OFFLINE:
            self._consensus.withdraw(status.device)

    def _detection(self, payload: bytes) -> None:
        detection = decode(Detection, payload)
        if self._store.saw(detection) and (decision := self._consensus.add(detection)):
            self._decide(decision)

    def _decide(self, decision: Decision) -> None:
        commands = self._trigger.decided(decision)
        self._store.decided(decision, commands)
        self._link.publish(topics.DECISIONS, encode(decision))
        self._carry_out(commands)

    def _override(self, payload: bytes) -> None:
        commands = self._trigger.overridden(decode(Override, payload))
        self._store.ordered(commands)
        self._show_mode()
        self._carry_out(commands)

    def _carry_out(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            self._store.settled(command, self._commander.send(command))

    def _say(self, presence: Presence) -> None:
        self._link.publish(topics.SERVICE_STATUS, presence.encode(), retain=True)

    def _show_mode(self) -> None:
        self._link.publish(topics.TRIGGER_STATE, self._trigger.mode.encode(), retain=True)

    def _returned(self) -> None:
        self._link.post(topics.SERVICE_STATUS, Presence.ONLINE.encode(), retain=True)
