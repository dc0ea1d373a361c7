"""The supervisor's hands: real processes, watched and killed; and the checks of readiness."""

from __future__ import annotations

import http.server
import json
import os
import queue
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import paddock
from paddock.node import starting, statuses, supervisor
from paddock.node.components import PYTHON, Check, Component, components
from paddock.node.processes import ProcessIdentity, boot, myself
from paddock.node.readiness import Readiness
from paddock.node.states import Event, State
from paddock.node.supervision import Happening, Supervision
from paddock.node.supervisor import ProcessLauncher
from tests.unit.node.layouts import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.node.layout import NodeLayout

Events = queue.SimpleQueue[Happening | None]
PATIENCE = 10


@pytest.fixture
def here(tmp_path: Path) -> NodeLayout:
    """A layout whose logs lie in a folder of the test's."""
    found = layout(state=tmp_path)
    found.logs.mkdir()
    return found


@pytest.fixture
def events() -> Events:
    return queue.SimpleQueue()


def shell(script: str, **more: object) -> Component:
    return Component(name="part", arguments=("/bin/sh", "-c", script), **more)  # type: ignore[arg-type] # per test


def next_event(events: Events) -> Happening:
    happening = events.get(timeout=PATIENCE)
    assert happening is not None
    return happening


def test_readiness_and_death_are_reported_in_order(here: NodeLayout, events: Events) -> None:
    """First that it is ready, then that it ended, both about the process that was started."""
    launcher = ProcessLauncher(here, events)
    process = launcher.spawn(shell("exec sleep 600"))
    assert process is not None
    assert next_event(events) == Happening("part", Event.PASSED, process)
    launcher.kill(process)
    assert next_event(events) == Happening("part", Event.EXITED, process)
    assert not process.alive()


def test_who_dies_before_being_ready_was_never_ready(here: NodeLayout, events: Events) -> None:
    """Only the end is reported, so that nothing starts that waited for it."""
    ProcessLauncher(here, events).spawn(shell("exit 1", check=Check.SOCKET, target="/no/such/socket"))
    assert next_event(events).event is Event.EXITED


def test_output_goes_to_the_components_log_and_a_huge_log_begins_anew(
    here: NodeLayout, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart appends; beyond the limit the old log is kept once, beside the new one."""
    monkeypatch.setattr(supervisor, "_LARGEST_LOG", 5)
    launcher = ProcessLauncher(here, events)
    for _ in range(3):
        launcher.spawn(shell("echo out; echo err >&2"))
        while next_event(events).event is not Event.EXITED:
            pass
    assert (here.logs / "part.log").read_text() == "out\nerr\n"
    assert (here.logs / "part.log.old").read_text() == "out\nerr\n"


@pytest.mark.parametrize("niceness", [0, 3])
def test_who_is_served_first_is_said_of_the_process_and_of_its_session(
    here: NodeLayout, events: Events, niceness: int
) -> None:
    """Of the process itself, its threads inherit it; of the session where the kernel groups tasks so (sched(7))."""
    launcher = ProcessLauncher(here, events)
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    process = launcher.spawn(shell("exec sleep 600", niceness=niceness))
    assert process is not None
    found = os.getpriority(os.PRIO_PROCESS, process.pid)
    session = Path(f"/proc/{process.pid}/autogroup")
    group = session.read_text().rpartition(" ")[2] if session.exists() else str(found)
    launcher.kill(process)
    assert next_event(events).event is not None
    assert (found, int(group)) == (usual + niceness, usual + niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual


def test_a_program_that_is_missing_is_told_in_its_log(here: NodeLayout, events: Events) -> None:
    """Nothing was started, nothing is reported, and the log says why."""
    launcher = ProcessLauncher(here, events)
    assert launcher.spawn(Component(name="part", arguments=("/no/such/program",))) is None
    assert "/no/such/program: " in (here.logs / "part.log").read_text()
    assert events.empty()


def test_components_see_the_proxies_but_not_for_the_nodes_own_addresses(
    here: NodeLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images may come through a proxy, the API server never; nothing else of the caller's environment leaks in."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    found = supervisor.environment(here, shell("", environment={"PATH": "/special"}))
    assert found["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert found["PATH"] == "/special"
    assert {"127.0.0.1", here.address, here.pod_network, here.service_network} <= set(found["NO_PROXY"].split(","))
    assert "SECRET_OF_THE_CALLER" not in found


def test_our_own_program_runs_with_the_supervisors_interpreter_and_paddock(here: NodeLayout, events: Events) -> None:
    """Wherever they lie on this machine; nothing of it stands in what a node is made of."""
    ours = Component(name="part", arguments=(PYTHON, "-c", "import paddock, sys; print(paddock.__file__)"))
    ProcessLauncher(here, events).spawn(ours)
    while next_event(events).event is not Event.EXITED:
        pass
    assert (here.logs / "part.log").read_text().strip() == paddock.__file__
    assert all(sys.executable not in part for each in components(here) for part in each.arguments)


class Silent:
    """A launcher that starts nothing real."""

    def spawn(self, component: Component) -> ProcessIdentity | None:
        del component
        return myself()

    def adopt(self, component: Component, process: ProcessIdentity) -> None:
        """Watch nothing."""

    def kill(self, process: ProcessIdentity) -> None:
        """Kill nothing."""


def test_what_is_published_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    """The status file is whole at every moment, and both the next supervisor and ``status`` understand it."""
    file = tmp_path / "status.json"
    monkeypatch.setattr(supervisor, "STATUS_FILE", file)
    monkeypatch.setattr(statuses, "STATUS_FILE", file)
    supervision = Supervision([shell("")], Silent(), lambda: 0.0)
    supervision.begin({})
    events.put(Happening("part", Event.PASSED, myself()))
    events.put(None)
    supervisor._run(supervision, events)
    assert supervisor.recorded_processes() == {"part": myself()}
    found = statuses.read_status()
    assert found.supervisor == myself()
    assert [(each.name, each.state, each.ready) for each in found.components] == [("part", State.READY.value, True)]
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_node_is_up_without_what_is_not_essential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    """A reaper that cannot start, its environment being gone, is shown and holds up nothing."""
    monkeypatch.setattr(supervisor, "STATUS_FILE", tmp_path / "status.json")
    monkeypatch.setattr(statuses, "STATUS_FILE", tmp_path / "status.json")
    monkeypatch.setattr(statuses, "access", lambda: True)
    parts = [Component(name=name, arguments=("x",), essential=name == "vital") for name in ("vital", "other")]
    supervision = Supervision(parts, Silent(), lambda: 0.0)
    supervision.begin({})
    events.put(Happening("other", Event.EXITED, myself()))
    events.put(None)
    supervisor._run(supervision, events)
    found = statuses.read_status()
    assert (found.state, starting._not_ready(found, ())) == ("starting", ["vital"])
    events.put(Happening("vital", Event.PASSED, myself()))
    events.put(None)
    supervisor._run(supervision, events)
    found = statuses.read_status()
    assert (found.state, starting._not_ready(found, ())) == ("up", [])
    assert [each.ready for each in found.components] == [True, False]


def test_all_that_an_earlier_version_wrote_of_is_essential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its supervisor knew no other."""
    monkeypatch.setattr(statuses, "STATUS_FILE", tmp_path / "status.json")
    part = {"state": "waiting", "process": None, "restarts": 0}
    (tmp_path / "status.json").write_text(json.dumps({"boot": boot(), "components": {"part": part}}))
    assert [each.essential for each in statuses.read_status().components] == [True]


def test_a_status_nobody_wrote_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing or broken, it is as if no component had ever been started."""
    monkeypatch.setattr(statuses, "STATUS_FILE", tmp_path / "status.json")
    assert supervisor.recorded_processes() == {}
    (tmp_path / "status.json").write_text(json.dumps({"supervisor": [1, 1]})[:-3])
    assert supervisor.recorded_processes() == {}


@pytest.fixture
def answers() -> Iterator[str]:
    """A server that answers 200 to ``/ready`` and 503 to anything else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/ready" else 503)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Stay quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_ready_when_it_answers_200(here: NodeLayout, answers: str) -> None:
    """Any other answer, and none, mean not yet."""
    checks = Readiness(here)
    assert checks.passed(shell("", check=Check.HTTP, target=f"{answers}/ready"))
    assert not checks.passed(shell("", check=Check.HTTP, target=f"{answers}/other"))
    assert not checks.passed(shell("", check=Check.HTTP, target="http://127.0.0.1:1/ready"))


def test_an_early_check_is_only_for_those_that_have_one(here: NodeLayout, answers: str) -> None:
    """It looks at its own target; a component without one never serves early."""
    checks = Readiness(here)
    early = shell("", check=Check.HTTP, target=f"{answers}/other", early_target=f"{answers}/ready")
    assert checks.serves(early)
    assert not checks.passed(early)
    assert not checks.serves(shell("", check=Check.HTTP, target=f"{answers}/ready"))


def test_a_socket_is_ready_when_somebody_listens(here: NodeLayout, tmp_path: Path) -> None:
    """The file alone, left by a dead process, is not enough."""
    path = str(tmp_path / "socket")
    component = shell("", check=Check.SOCKET, target=path)
    assert not Readiness(here).passed(component)
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(path)
        assert not Readiness(here).passed(component)
        endpoint.listen()
        assert Readiness(here).passed(component)
    assert not Readiness(here).passed(component)


def test_a_kubelet_that_does_not_listen_is_not_ready(here: NodeLayout) -> None:
    """Whatever its Node object still says; and without keys nobody can be asked, which is not ready either."""
    node = shell("", check=Check.NODE, target="paddock")
    assert not Readiness(layout(state=here.state, address="127.0.0.1")).passed(node)
    assert not Readiness(here).passed(shell("", check=Check.API, target="/readyz"))
