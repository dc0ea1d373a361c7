"""What the seam uses of xdist, execnet and pytest without their promise: fails here first when a release changes it."""

from __future__ import annotations

import inspect
import json
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import execnet
import pytest
import xdist
import xdist.remote
from xdist.dsession import DSession
from xdist.scheduler import LoadGroupScheduling, LoadScopeScheduling
from xdist.workermanage import NodeManager, WorkerController

from paddock.plugin import remote, xdist_seam
from paddock.plugin.lazy_io import LazyIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(("package", "pinned"), [(xdist, "3.8."), (execnet, "2.1.")])
def test_the_seam_was_written_against_this_release(package: object, pinned: str) -> None:
    """A new minor release is read before it is trusted: then this pin moves."""
    assert str(package.__version__).startswith(pinned)  # type: ignore[attr-defined] # both packages have one


def test_execnet_takes_our_key_and_draws_ids_onward() -> None:
    """A spec may carry our key; ids go on where the replaced group stopped."""
    replaced = execnet.Group(execmodel="main_thread_only")
    drawn = execnet.XSpec("popen//paddock=0")
    replaced.allocate_id(drawn)
    group = xdist_seam.StreamGroup(replaced)
    clone = execnet.XSpec("popen//paddock=0")
    group.allocate_id(clone)
    assert (drawn.paddock, drawn.id, clone.id) == ("0", "gw0", "gw1")


def test_a_connection_is_there_at_once() -> None:
    """Nothing waits for the worker: neither the connection nor what xdist asks of its interpreter."""
    group = xdist_seam.StreamGroup(execnet.Group(execmodel="main_thread_only"))
    gateway = group.makegateway(execnet.XSpec("execmodel=main_thread_only//popen//paddock=0"))
    try:
        assert isinstance(gateway._io, LazyIO)
        assert gateway._rinfo().version_info[0] == 3
        assert list(group) == [gateway]
    finally:
        group.terminate(timeout=1)


def test_other_specs_stay_execnets() -> None:
    """A plain local worker, as --px proxies are, is made by execnet itself."""
    group = xdist_seam.StreamGroup(execnet.Group(execmodel="main_thread_only"))
    gateway = group.makegateway(execnet.XSpec("popen"))
    try:
        assert not isinstance(gateway._io, LazyIO)
    finally:
        group.terminate(timeout=5)


def test_popen_keeps_xdist_from_copying_itself() -> None:
    """Rsync roots exist for every spec without ``popen`` or with ``chdir``; ours has the one and not the other."""
    source = inspect.getsource(NodeManager._getrsyncdirs)
    assert "if not spec.popen or spec.chdir:" in source


def test_xdist_sends_the_call_that_remote_prepares() -> None:
    """Four values come first, and the worker's code is run from its source file under execnet's name."""
    text = "workerinput, args, option_dict, change_sys_path = channel.receive()"
    assert text in inspect.getsource(xdist.remote)
    assert "(self.workerinput, args, option_dict, change_sys_path)" in inspect.getsource(WorkerController.setup)
    assert 'if __name__ == "__channelexec__":' in inspect.getsource(xdist.remote)


def test_a_workers_end_is_noted_as_we_note_it() -> None:
    """``_down`` and ``workeroutput`` are set, then the event goes to ``putevent``."""
    source = inspect.getsource(WorkerController.process_from_remote)
    for line in ("self._down = True", 'self.workeroutput = kwargs["workeroutput"]', '"Not properly terminated"'):
        assert line in source
    assert "self.putevent((eventname, kwargs))" in inspect.getsource(WorkerController.notify_inproc)


def test_a_command_to_a_worker_that_has_gone_does_not_end_the_run() -> None:
    """Its end is still in xdist's queue when a scheduler sends to it; the connection's error would be pytest's own."""
    assert "self.channel.send((name, kwargs))" in inspect.getsource(WorkerController.sendcommand)
    channel = SimpleNamespace(setcallback=lambda *_: None)
    gone = SimpleNamespace(id="gw0", _io=SimpleNamespace(start=lambda *_: None), newchannel=lambda: channel)
    node = SimpleNamespace(gateway=gone, putevent=print, workerinput={}, sendcommand=_broken)
    nodes_of(SimpleNamespace(queue=SimpleQueue())).adopt(cast("Any", node))
    node.sendcommand("runtests", indices=[0])


def nodes_of(session: object) -> xdist_seam.Nodes:
    """Return the seam of a run whose xdist session this is."""
    config = SimpleNamespace(
        invocation_params=SimpleNamespace(dir="/"),
        option=SimpleNamespace(dist="load", capture="fd"),
        pluginmanager=SimpleNamespace(get_plugin=lambda _: session),
    )
    return xdist_seam.Nodes(cast("Any", config), cast("Any", print), print)


def test_no_signal_tears_the_wait_for_events(config: pytest.Config) -> None:
    """The one that xdist makes waits in Python's code: KeyboardInterrupt in there may find its lock let go."""
    session = DSession(config)
    session.nodemanager = cast("Any", SimpleNamespace(group=execnet.Group(execmodel="main_thread_only")))
    nodes_of(session).attach()
    assert "self.queue.get(timeout=2.0)" in inspect.getsource(DSession.loop_once)
    assert inspect.isbuiltin(session.queue.get)
    with pytest.raises(Empty):  # which xdist's loop expects of it
        session.queue.get(timeout=0.001)


@pytest.fixture
def config(pytester: pytest.Pytester) -> Iterator[pytest.Config]:
    """A configuration of pytest with xdist's options."""
    made = pytester.parseconfigure()
    yield made
    made._ensure_unconfigure()


def _broken(name: str, **content: object) -> None:
    raise OSError(f"cannot send {name} {content}")


def test_xdists_loop_asks_the_scheduler_after_each_event() -> None:
    """``tests_finished`` is our clock, and an empty "unscheduled" our alarm."""
    lines = [line.strip() for line in inspect.getsource(DSession.loop_once).splitlines()]
    assert lines.index("call(**kwargs)") < lines.index("if self.sched.tests_finished:")
    assert list(inspect.signature(DSession.worker_unscheduled).parameters) == ["self", "node", "indices"]


def test_schedulers_by_scope_have_what_we_correct() -> None:
    """``assigned_work`` holds node -> unit -> node id -> over; ``_split_scope`` names a test's unit."""
    assert "self.assigned_work: dict[WorkerController, dict[str, dict[str, bool]]]" in inspect.getsource(
        LoadScopeScheduling.__init__
    )
    assert list(inspect.signature(LoadGroupScheduling._split_scope).parameters) == ["self", "nodeid"]


def test_the_cache_lies_where_remote_writes_it(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """A value is JSON in ``v/<key>`` below the folder of ``cache_dir``."""
    folder = remote.fill_cache(tmp_path / "cache", {"cache/lastfailed": json.dumps({"t": True})})
    config = pytester.parseconfigure("-o", f"cache_dir={folder}")
    assert config.cache is not None
    assert config.cache.get("cache/lastfailed", None) == {"t": True}
    config._ensure_unconfigure()


def test_xdist_puts_a_new_worker_in_the_place_of_another() -> None:
    """``_clone_node`` draws a new id, makes the worker and counts it among those that the end waits for."""
    source = inspect.getsource(DSession._clone_node)
    for line in ("allocate_id(spec)", "setup_node(spec, self.queue.put)", "self._active_nodes.add(clone)"):
        assert line in source
    ending = inspect.getsource(DSession.worker_workerfinished)
    assert ending.index("pytest_testnodedown") < ending.index("self._active_nodes.remove(node)")
