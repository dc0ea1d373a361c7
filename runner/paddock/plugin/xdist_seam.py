"""The one file that touches what pytest-xdist and execnet do not promise to keep.

Pinned to pytest-xdist 3.8 and execnet 2.1; ``tests/contract/plugin/test_internals.py`` fails if one of these changes:

- ``config.option.tx``: rewritten to ``popen//paddock=K``. The key ``popen`` keeps xdist from copying its own sources
  to the worker (rsync) and from rewriting path arguments; execnet accepts keys that it does not know.
- plugin ``dsession``: ``nodemanager.group`` and ``queue`` are replaced before the first worker is made; ``shouldstop``,
  ``shuttingdown`` are used as xdist's own code does; ``_clone_node`` replaces a worker that xdist was not told lost.
  Its ``worker_<word>`` methods of five words are replaced on the object: xdist calls them by name.
- ``execnet.Group``: ``_autoidcounter`` (xdist has drawn gw0… already), ``_gateways``, ``_register``.
- ``execnet.Gateway``: ``_io``; ``_cache_rinfo``, since xdist would otherwise ask the worker and wait for its answer.
- ``WorkerController`` (one worker's node): ``putevent`` is replaced per object, so that a worker that never came
  reaches xdist as finished; ``_down`` and ``workeroutput`` are set then as xdist sets them. ``sendcommand`` is
  replaced too: a scheduler sends to workers whose end is still in xdist's queue, and its ``OSError`` would end the run.
- ``Cache``: values lie at ``v/<key>`` as JSON (``plugin.remote`` writes them).

No class of xdist is patched or subclassed. Events reach xdist's queue in the order of the worker's words.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import execnet
import pytest
from execnet.gateway import RInfo

from paddock.plugin import assisting, forwarding, remote
from paddock.plugin.doings import AWAITS
from paddock.plugin.lazy_io import LazyIO
from paddock.plugin.roster import CANCELLED, OPEN_FAILED, Action, Roster
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xdist.workermanage import WorkerController

    from paddock.engines.protocol import WorkerStream
    from paddock.plugin.assisting import Assist
    from paddock.plugin.marks import Told

    Event = tuple[str, dict[str, Any]]

TX_KEY = "paddock"
_LOST = "paddock_lost"
_END_OF_REPORTS = {
    "logfinish": True,
    "runtest_protocol_complete": True,
    "workerfinished": False,
    "internal_error": False,
}
"""Words after which no report of the worker's test is to come -> whether they say that the test is over."""
_LOST_CONNECTION = "Not properly terminated"
"""xdist's words for a worker that went without a word of its own."""
_CACHE_KEYS = ("cache/lastfailed", "cache/nodeids", "cache/stepwise")
_BOOT = """\
import sys
from execnet.gateway_base import serve, init_popen_io, get_execmodel
sys.stdout.write('1')
sys.stdout.flush()
serve(init_popen_io(get_execmodel('main_thread_only')), id='%s-worker')"""


def plan_workers(config: pytest.Config) -> list[str]:
    """Have xdist make its workers over our streams; return their ids, which execnet will draw in this order."""
    count = len(config.option.tx)
    config.option.tx = [f"popen//{TX_KEY}={number}" for number in range(count)]
    return [f"gw{number}" for number in range(count)]


@dataclass(frozen=True)
class Lost:
    """A worker that never came, as far as xdist is concerned."""

    reason: str
    unexplained: bool
    """Whether the worker itself gave no reason, so that its engine may know more."""
    silent: bool = False
    """Whether ``reason`` are xdist's words for a worker that went without a word: a cause says all that they do."""


def max_restarts(config: pytest.Config) -> int | None:
    """Return how often workers may be replaced, if the user has said so."""
    given = config.getoption("maxworkerrestart")
    return None if given is None else int(given)


def lost(node: WorkerController) -> Lost | None:
    """Return why a worker never came, or ``None`` if it did."""
    found: Lost | None = getattr(node, "workeroutput", {}).get(_LOST)
    return found


class Reports(Protocol):
    """What holds a test's reports back until it is over, and returns what of them is to be heard."""

    def begin(self, worker: str, test: str) -> None:
        """Note that a test begins."""

    def hold(self, worker: str, report: pytest.TestReport) -> bool:
        """Return whether the report is held back."""

    def finish(self, worker: str, *, whole: bool) -> Sequence[pytest.TestReport]:
        """Return what is to be heard of a test that is over; ``whole`` if the worker says so."""


class NothingSaidError(KeyError):
    """A worker that never came was asked for something that it would have said at its end."""


class Silence(dict[str, object]):
    """The ``workeroutput`` of a worker that never came: what xdist needs of it, and nothing that tests put there."""

    def __missing__(self, key: str) -> object:
        raise NothingSaidError(key)


class StreamGroup(execnet.Group):
    """execnet's maker of connections, with one more kind: a ``LazyIO``, there at once."""

    def __init__(self, replaced: execnet.Group) -> None:
        super().__init__(execmodel="main_thread_only")
        self._autoidcounter = replaced._autoidcounter  # noqa: SLF001 - see the module's docstring
        self._gateways.extend(replaced)

    def makegateway(self, spec: execnet.XSpec | str | None = None) -> execnet.Gateway:
        """Return a connection for one of our specs at once; any other spec is execnet's affair."""
        if not isinstance(spec, execnet.XSpec) or getattr(spec, TX_KEY) is None:
            return super().makegateway(spec)
        self.allocate_id(spec)
        worker = str(spec.id)
        gateway = execnet.Gateway(LazyIO(worker, _boot_line(worker), self.execmodel), spec)
        gateway._cache_rinfo = RInfo(_presumed())  # noqa: SLF001 - see the module's docstring
        self._register(gateway)
        return gateway


def _boot_line(worker: str) -> bytes:
    return f"{_BOOT % worker!r}\n".encode()


def _presumed() -> dict[str, Any]:
    version = tuple(sys.version_info[:5])
    return {"executable": sys.executable, "version_info": version, "platform": sys.platform, "cwd": "?", "pid": 0}


class Nodes:
    """xdist's workers, and the levers on its loop.

    ``on_word`` hears every word of every worker with its content, on that worker's receiver thread.
    """

    def __init__(
        self,
        config: pytest.Config,
        open_stream: Callable[[str], WorkerStream],
        on_word: Callable[[str, str, Mapping[str, Any]], None],
        told: Mapping[str, object] | None = None,
        start_limit: float = PhaseLimits.start,
        assist: Assist | None = None,
    ) -> None:
        self._assist = assist
        self._start_limit = start_limit
        self._told = told or {}
        """What every worker is told beside, see ``remote.KEY``."""
        self.roster = Roster()
        self.marks: dict[str, Told] = {}
        """Node id -> what its marks say, as workers tell before xdist hears of their collection."""
        self._config, self._open_stream, self._on_word = config, open_stream, on_word
        self._nodes: dict[str, WorkerController] = {}
        self._forward: dict[str, Callable[[Event], None]] = {}
        self._alarms: list[threading.Timer] = []
        self._session: Any = None

    @property
    def _dsession(self) -> Any:  # noqa: ANN401 - xdist's session has no public type
        self._session = self._session or self._config.pluginmanager.get_plugin("dsession")
        return self._session

    def attach(self) -> None:
        """Put our maker of connections in place of execnet's; xdist makes no worker before this hook is over."""
        manager = self._dsession.nodemanager
        manager.group = StreamGroup(manager.group)
        # A signal's KeyboardInterrupt within ``queue.Queue`` can find its lock let go, which is an INTERNALERROR;
        # ``SimpleQueue`` waits outside of Python's code.
        self._dsession.queue = SimpleQueue()

    def hold_reports(self, reports: Reports) -> None:
        """Have xdist hear of a test's reports once it is over, as far as they are to be heard; on pytest's thread."""
        session = self._dsession
        hear_start, hear_report = session.worker_logstart, session.worker_testreport

        def on_start(node: WorkerController, nodeid: str, location: object) -> None:
            reports.begin(node.gateway.id, nodeid)
            hear_start(node=node, nodeid=nodeid, location=location)
            session.sched.nothing_new()

        def on_report(node: WorkerController, rep: pytest.TestReport) -> None:
            if reports.hold(node.gateway.id, rep):
                session.sched.nothing_new()
            else:
                hear_report(node=node, rep=rep)

        def on_end(hear_end: Callable[..., None], word: str, node: WorkerController, **content: object) -> None:
            heard = reports.finish(node.gateway.id, whole=_END_OF_REPORTS[word])
            for report in heard:
                hear_report(node=node, rep=report)
            hear_end(node=node, **content)
            if word == "logfinish" and all(report.outcome == "passed" for report in heard):  # others may run again
                session.sched.nothing_new()

        session.worker_logstart, session.worker_testreport = on_start, on_report
        for word in _END_OF_REPORTS:
            setattr(session, f"worker_{word}", partial(on_end, getattr(session, f"worker_{word}"), word))

    def adopt(self, node: WorkerController) -> None:
        """Send our part with xdist's input and begin to open the worker's stream."""
        worker = node.gateway.id
        self.roster.enter(worker)
        self._nodes[worker], self._forward[worker] = node, self._dsession.queue.put
        node.putevent = partial(self._hear, node)
        node.sendcommand = partial(_send_command, node.sendcommand)
        node.workerinput[remote.KEY] = self._input(node)
        _io(node).start(partial(self._open_stream, worker), partial(self._tell, node, OPEN_FAILED), self._start_limit)

    def _input(self, node: WorkerController) -> dict[str, object]:
        directory = str(self._config.invocation_params.dir)
        ours: dict[str, object] = {**self._told, "directory": directory, "cache": self._cache()}
        channel = ours["marks"] = node.gateway.newchannel()
        channel.setcallback(self.marks.update)
        if ours.get("probes"):
            turns = ours["turns"] = node.gateway.newchannel()
            turns.setcallback(partial(self._on_word, node.gateway.id, AWAITS))
        if self._assist:
            ours["orders"] = assisting.offer(node.gateway, self._assist)
        ours["shows_output"] = self._config.option.capture == "no"
        ports = [port for name in forwarding.PORTS if isinstance(port := node.workerinput.get(name), int)]
        ours["ports"] = [(port, forwarding.offer(node.gateway, port)) for port in ports]
        return ours

    def _cache(self) -> dict[str, str] | None:
        cache = getattr(self._config, "cache", None)
        if cache is None:
            return None
        values = {key: cache.get(key, None) for key in _CACHE_KEYS}
        return {key: json.dumps(value) for key, value in values.items() if value is not None}

    def _hear(self, node: WorkerController, event: Event) -> None:
        word, content = event
        self._on_word(node.gateway.id, word, content)
        self._tell(node, word, str(content.get("error") or content.get("formatted_error") or ""), event)

    def _tell(self, node: WorkerController, word: str, reason: str = "", event: Event | None = None) -> None:
        worker = node.gateway.id
        action = self.roster.advance(worker, word)
        if action is Action.PASS and event is not None:
            self._forward[worker](event)
        elif action in {Action.FAIL, Action.FINISH}:
            unexplained = word == OPEN_FAILED or reason == _LOST_CONNECTION
            why = Lost(reason, unexplained, reason == _LOST_CONNECTION)
            self._take_leave(node, why if action is Action.FAIL else None)

    def _take_leave(self, node: WorkerController, why: Lost | None) -> None:
        # As xdist's WorkerController does for a worker's own "workerfinished"; pytest-cov asks for its node's id.
        output = {"exitstatus": 0, "shouldfail": False, "shouldstop": False, "cov_worker_node_id": node.gateway.id}
        node.workeroutput = Silence(output, **{_LOST: why})
        node._down = True  # noqa: SLF001 - see the module's docstring
        self._forward[node.gateway.id](("workerfinished", {"node": node}))

    def note_ready(self, node: WorkerController) -> None:
        """Replace what was presumed of the worker's interpreter by what it says of itself."""
        told: Any = node.workerinfo
        actual = {"executable": told["executable"], "cwd": told["cwd"], "platform": told["sysplatform"]}
        vars(node.gateway._rinfo()).update(actual, version_info=tuple(told["version_info"]))  # noqa: SLF001 - see the module's docstring

    def cancel_awaited(self) -> None:
        """End the workers that nobody needs any more, as finished and not as crashed."""
        for worker in self.roster.awaited():
            self.cancel(worker)

    def cancel(self, worker: str) -> None:
        """End a worker that has not come, as finished and not as crashed."""
        self._tell(self._nodes[worker], CANCELLED)
        _io(self._nodes[worker]).kill()

    def let_go(self, worker: str) -> None:
        """Have the process of a worker that has finished end now; execnet would keep it until the end of the run."""
        self._nodes[worker].gateway.exit()

    def interrupt(self) -> None:
        """Ask the workers to stop and tear down their fixtures."""
        for worker in self.roster.alive():
            _io(self._nodes[worker]).interrupt()

    def ask_stacks(self, worker: str) -> None:
        """Have a worker's stacks taken; returns at once."""
        _io(self._nodes[worker]).ask_stacks()

    def wait_stacks(self, worker: str, timeout: float) -> str:
        """Return the stacks of a worker that were taken last; see ``engines.protocol.WorkerStream``."""
        return _io(self._nodes[worker]).wait_stacks(timeout)

    def end(self, worker: str) -> None:
        """End one worker, as if it had crashed."""
        _io(self._nodes[worker]).kill()

    def kill(self) -> None:
        """End the workers that are left."""
        for worker in self.roster.alive():
            _io(self._nodes[worker]).kill()

    def replace(self, node: WorkerController) -> None:
        """Have xdist put a new worker in the place of one that it takes for finished, as it does after a crash."""
        self._dsession._clone_node(node)  # noqa: SLF001 - see the module's docstring

    def add(self) -> None:
        """Have xdist make one more worker, though it may have told all others that nothing follows."""
        self._dsession.shuttingdown = False
        self.replace(next(reversed(self._nodes.values())))

    def refuse(self, node_id: str, reason: str) -> None:
        """Report a test that is not to run as an error of its set-up; xdist counts it for --maxfail."""
        file = node_id.partition("::")[0]
        report = pytest.TestReport(node_id, (file, None, node_id), {}, "failed", reason, "setup")
        # pytest shows where a report comes from, which is known of those workers only that have said who they are.
        node = next(one for one in self._nodes.values() if hasattr(one, "workerinfo"))
        self._dsession.queue.put(("testreport", {"node": node, "rep": report}))

    def stop(self, reason: str) -> None:
        """Have xdist end the run as it does for --maxfail."""
        if self._dsession is not None:
            self._dsession.shouldstop = getattr(self._dsession, "shouldstop", False) or reason

    @property
    def is_stopped(self) -> bool:
        """Whether xdist ends the run before all tests have run."""
        return bool(self._dsession.shouldstop)

    @property
    def has_pending(self) -> bool:
        """Whether tests wait for a worker."""
        return bool(getattr(self._dsession.sched, "has_waiting", False))

    @property
    def scheduler(self) -> Any:  # noqa: ANN401 - whatever the user's hooks have made
        """What shares out the tests."""
        return self._dsession.sched

    @property
    def is_ending(self) -> bool:
        """Whether xdist has begun to end the run."""
        return bool(self._dsession.shouldstop or self._dsession.shuttingdown)

    def wake_after(self, seconds: float) -> None:
        """Put an event without content into xdist's queue after some time, so that its loop looks around."""
        nothing = ("unscheduled", {"node": None, "indices": ()})
        alarm = threading.Timer(seconds, self._dsession.queue.put, [nothing])
        alarm.daemon = True
        self._alarms = [*filter(threading.Timer.is_alive, self._alarms), alarm]
        alarm.start()

    def close(self) -> None:
        """End what this object has running: idempotent."""
        for alarm in self._alarms:
            alarm.cancel()


def _send_command(send: Callable[..., None], name: str, **content: object) -> None:
    with contextlib.suppress(OSError):  # a worker that has gone hears nothing; the end of its channel tells xdist
        send(name, **content)


def _io(node: WorkerController) -> LazyIO:
    io: LazyIO = node.gateway._io  # noqa: SLF001 - StreamGroup made it
    return io
