"""Servers of the local engine: there when asked for, gone with their run however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local.places import KEEPER, PYTEST, Place
from paddock.node.processes import ProcessIdentity
from tests.contract.local.conftest import LOCAL, PLUGIN, environment_of, left
from tests.contract.plugin.running import clean_environment, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.plugin.running import Run

GONE_WITHIN = 30.0
"""Seconds; it takes less than one on a machine at rest."""
USES = """
    import json, os, pathlib, pytest

    def noted():
        record = pathlib.Path(os.environ["PADDOCK_KEEPER"]).parent / "record.json"
        entries = map(json.loads, record.read_text().splitlines())
        mine = " of " + os.environ["PADDOCK_WORKER"]
        return {entry["what"].removesuffix(mine): entry["pid"] for entry in entries if entry["what"].endswith(mine)}
"""
BOTH = {
    "test_both.py": f"""{USES}
    @pytest.mark.parametrize("n", range(2))
    def test_broker_and_database(n, mqtt_client, mqtt_broker, database_server):
        import psycopg
        assert mqtt_client.is_connected()
        with psycopg.connect(os.environ["PADDOCK_DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 6 * 7").fetchone() == (42,)
        assert mqtt_broker.port == int(os.environ["PADDOCK_BROKER_PORT"])
        assert set(noted()) == {{"broker", "database"}}
    """,
}


@pytest.mark.parametrize("arguments", [("-n2",), ("-n0",), (), ("--pdb",)], ids=" ".join)
def test_every_worker_has_a_broker_and_a_database(run: Run, temporary: Path, arguments: tuple[str, ...]) -> None:
    """With workers and in pytest's own process the same fixtures give real servers."""
    result = run(*arguments, files=BOTH)
    assert (result.code, result.counts) == (0, {"passed": 2}), result
    workers = 2 if "-n2" in arguments else 1
    assert result.account == f"created {workers}, deleted {workers}, left 0", result
    assert left(temporary) == []


def test_without_workers_the_process_is_called_master(run: Run) -> None:
    """Its id and its ports are not those of gw0; the environment is put back."""
    text = f"""{USES}
    def test_m(paddock_service):
        assert os.environ["PADDOCK_WORKER"] == "master"
        assert 29900 <= int(os.environ["PADDOCK_BROKER_PORT"]) < 30000
        assert os.environ["MINE"] == "mqtt://127.0.0.1:" + os.environ["PADDOCK_BROKER_PORT"]
        assert noted().keys() == {{"broker"}}  # the placeholder asked for it
    """
    conftest = "import os\ndef pytest_unconfigure(): print('left:', os.environ.get('MINE'))\n"
    toml = "[tool.paddock.env]\nMINE = 'mqtt://{broker.host}:{broker.port}'\n"
    files = {"test_m.py": text, "conftest.py": conftest, "pyproject.toml": toml}
    result = run("--paddock-port-base=30000", files=files)
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    assert "without workers: this process is master" in result.out


DEBUGGER = """
    import pdb
    import psycopg

    class Debugger(pdb.Pdb):
        def interaction(self, frame, found):
            trace = getattr(found, "__traceback__", found)  # of what pytest gives, from Python 3.13 on
            while trace.tb_next:
                trace = trace.tb_next
            here = trace.tb_frame.f_locals
            with psycopg.connect(here["database"].url) as connection:
                told = connection.execute("SELECT current_database()").fetchone()[0] == here["database"].name
            print("debugged:", told, here["mqtt_client"].is_connected())
"""


def test_a_debugger_finds_what_the_failing_test_had(run: Run, temporary: Path) -> None:
    """Under ``--pdb`` its database and its client are there while somebody looks, and gone afterwards."""
    suite = "def test_fails(database, mqtt_client): assert not database.name\n"
    files = {"debugger.py": DEBUGGER, "test_f.py": suite}
    result = run("--pdb", "--pdbcls=debugger:Debugger", files=files)
    assert (result.code, result.counts) == (1, {"failed": 1}), result
    assert "debugged: True True" in result.out, result
    assert result.account == "created 1, deleted 1, left 0", result
    assert left(temporary) == []


def test_a_server_starts_when_it_is_first_asked_for(run: Run) -> None:
    """Not before, and no other."""
    text = f"""{USES}
    def test_none(): assert noted() == {{}}
    def test_broker(paddock_service):
        paddock_service("broker")
        assert set(noted()) == {{"broker"}}
    """
    result = run("-n1", "--dist=loadfile", "--paddock-order=collected", files={"test_s.py": text})
    assert (result.code, result.counts) == (0, {"passed": 2}), result


def test_a_killed_broker_comes_back(run: Run) -> None:
    """At the same port, as a pod's container does; only the test that kills it sees it missing."""
    text = f"""{USES}
    import signal
    from paddock.fixtures.services import await_service

    def test_kill(mqtt_broker): os.kill(noted()["broker"], signal.SIGKILL)
    def test_again(mqtt_broker):
        facts = await_service("broker")
        assert facts.port == mqtt_broker.port
    """
    result = run("-n0", files={"test_k.py": text})
    assert (result.code, result.counts) == (0, {"passed": 2}), result


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pyproject.toml": "[tool.paddock.broker]\nconfiguration = 'b.conf'\n", "b.conf": "nonsense 1\n"}, "nonsense"),
        ({"pyproject.toml": "[tool.paddock.database]\nversion = '77'\n"}, "PostgreSQL 77 is not on this machine"),
        (
            {
                "pyproject.toml": "[tool.paddock.services.slow]\nport = 1\nreadiness = 'tcp'\n"
                "command = ['sleep', '600']\n"
            },
            "gave no answer at port 1 within 1 s",
        ),
    ],
    ids=["settings", "version", "never-ready"],
)
def test_a_server_that_cannot_run_fails_those_that_ask(run: Run, files: dict[str, str], words: str) -> None:
    """With a sentence; the tests that do not ask run."""
    asked = "slow" if "services" in files["pyproject.toml"] else "broker" if "broker" in files["pyproject.toml"] else ""
    text = f"def test_asks(paddock_service): paddock_service({asked or 'database'!r})\ndef test_other(): pass\n"
    result = run("-n1", "--paddock-service-limit=1", files={**files, "test_w.py": text})
    assert (result.code, result.counts) == (1, {"failed": 1, "passed": 1}), result
    assert words in result.out, result
    assert "of worker gw0 does not run: " in result.out, result


def test_a_taken_port_is_skipped(run: Run) -> None:
    """The worker's next one is used."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = taken.getsockname()[1]
        text = f"import os\ndef test_p(mqtt_broker): assert {base} < mqtt_broker.port < {base + 100}\n"
        result = run("-n1", f"--paddock-port-base={base}", files={"test_p.py": text})
    assert (result.code, result.counts) == (0, {"passed": 1}), result


def test_a_worker_without_ports_runs_what_needs_none(run: Run) -> None:
    """The others fail with the sentence, which names the setting."""
    text = "def test_b(mqtt_broker): pass\ndef test_other(): pass\n"
    result = run("-n1", "--paddock-port-base=65535", files={"test_p.py": text})
    assert (result.code, result.counts) == (1, {"error": 1, "passed": 1}), result
    assert "has no port: ports 65535 to 65535 are all taken" in result.out, result
    assert "--paddock-port-base, which is 65535 now" in result.out


def test_the_clusters_client_is_never_loaded(run: Run) -> None:
    """Neither beside pytest nor in a worker."""
    conftest = "import sys\ndef pytest_sessionfinish(): assert not {'kubernetes', 'websocket'} & {*sys.modules}\n"
    for workers in ("-n2", "-n0"):
        result = run(workers, files={"conftest.py": conftest, "test_n.py": "def test_n(): pass\n"})
        assert (result.code, result.counts) == (0, {"passed": 1}), result


WAITS = """
    import sys, subprocess, time
    def test_waits(mqtt_broker, database_server, web_service):
        subprocess.Popen(["sleep", "600"])
        print("it waits", file=sys.stderr, flush=True)
        time.sleep(600)
"""


WEB = """
    [tool.paddock.services.web]
    port = 8080
    readiness = "tcp"
    command = ["python", "-m", "http.server", "{web.port}"]
"""


@pytest.fixture
def killed(tmp_path: Path, temporary: Path) -> Iterator[Callable[..., list[ProcessIdentity]]]:
    """Runs a suite until its servers run and its test waits, and kills processes of the run by what they are."""
    project = tmp_path / "project"
    write(project, {"test_waits.py": WAITS, "pyproject.toml": WEB})
    noted: list[ProcessIdentity] = []

    def kill(*whats: str) -> list[ProcessIdentity]:
        argv = [sys.executable, "-m", "pytest", *PLUGIN, *LOCAL, "-n1", "-s", "--paddock-run-id=struck"]
        environment = {**clean_environment(), **environment_of(tmp_path, temporary)}
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(argv, cwd=project, env=environment, stderr=pipe, stdout=nowhere, text=True) as process:
            assert process.stderr
            assert any("it waits" in line for line in process.stderr)
            place = Place(temporary / f"paddock-{os.geteuid()}" / "run-struck")
            found = place.noted()
            noted.extend(identity for _, identity in found)
            for identity in (one for what, one in found if what in whats):
                os.kill(identity.pid, signal.SIGSTOP)  # so that none of them does anything before all are dead
            for identity in (one for what, one in found if what in whats):
                identity.kill()
            process.wait()
        return noted

    yield kill
    for identity in noted:
        identity.kill()


def gone(holds: Callable[[], bool]) -> bool:
    """Wait until it holds that something is gone."""
    end, pause = time.monotonic() + GONE_WITHIN, threading.Event()
    while not holds() and time.monotonic() < end:
        pause.wait(0.05)
    return holds()


def test_everything_goes_with_a_pytest_that_is_killed(
    killed: Callable[..., list[ProcessIdentity]], temporary: Path
) -> None:
    """Workers, servers and folders, though nobody of the run had a chance to say anything."""
    processes = killed(PYTEST)
    assert len(processes) == 6, "pytest, its keeper, a worker, a broker, a database and a declared service"
    assert gone(lambda: not any(one.alive() for one in processes)), processes
    assert gone(lambda: left(temporary) == [])


def test_the_next_run_ends_what_a_killed_keeper_left_and_nothing_else(
    killed: Callable[..., list[ProcessIdentity]], run: Run, temporary: Path
) -> None:
    """By the record; a folder without one stays, whatever it is called."""
    processes = killed(PYTEST, KEEPER)
    stranger = temporary / f"paddock-{os.geteuid()}" / "run-stranger"
    stranger.mkdir()
    assert any(one.alive() for one in processes), "servers know nothing of pytest"
    assert run("-n1", files={"test_n.py": "def test_n(): pass\n", "test_waits.py": ""}).code == 0
    assert gone(lambda: not any(one.alive() for one in processes)), processes
    assert gone(lambda: left(temporary) == [str(stranger)])


def test_a_record_of_processes_with_other_start_times_ends_nobody(run: Run, temporary: Path) -> None:
    """A process id that is somebody else's by now is not taken for ours."""
    with subprocess.Popen(["sleep", "600"]) as other:
        folder = temporary / f"paddock-{os.geteuid()}" / "run-old"
        folder.mkdir(parents=True)
        Place(folder).note(ProcessIdentity(other.pid, 1), "broker of gw0")
        try:
            assert run("-n1", files={"test_n.py": "def test_n(): pass\n"}).code == 0
            assert gone(lambda: not folder.exists())
            assert other.poll() is None
        finally:
            other.kill()


def test_evidence_of_a_failure_has_the_servers_logs(run: Run) -> None:
    """Without the passwords."""
    text = "import os\ndef test_f(mqtt_broker):\n    print(os.environ['PADDOCK_BROKER_PASSWORD'])\n    assert 0\n"
    result = run("-n1", "--paddock-run-id=k7x2mq", files={"test_f.py": text})
    log = result.folder / "paddock-report" / "k7x2mq" / "gw0" / "logs" / "broker.txt"
    assert "New connection from 127.0.0.1" in log.read_text(encoding="utf-8"), result
    account = json.loads((result.folder / "paddock-report" / "k7x2mq" / "account.json").read_text(encoding="utf-8"))
    assert (account["created"], account["left"]) == (["gw0"], {})
    kept = "".join(path.read_text(encoding="utf-8") for path in log.parent.parent.rglob("*.txt"))
    assert not re.search(r"\b[0-9a-f]{48}\b", kept), "a password was kept"


NOWHERE = """
    apiVersion: v1
    kind: Config
    current-context: kind-gone
    contexts: [{name: kind-gone, context: {cluster: gone, user: me}}]
    clusters: [{name: gone, cluster: {server: "https://127.0.0.1:1"}}]
    users: [{name: me, user: {token: none}}]
"""


def test_auto_runs_here_where_no_cluster_answers(run: Run) -> None:
    """It says so in a line, once; a context that the user named must be right all the same."""
    files = {"kubeconfig": NOWHERE, "test_n.py": "def test_n(): pass\n"}
    environment = {"KUBECONFIG": "kubeconfig"}
    result = run("-n1", "--paddock-engine=auto", files=files, environment=environment)
    assert (result.code, result.counts) == (0, {"passed": 1}), result
    said = "paddock: --paddock-engine=auto takes local, since no cluster can be used: "
    assert result.err.count(said) == 1, result
    assert "https://127.0.0.1:1" in result.err
    assert "engine local" in result.out
    result = run("-n1", "--paddock-engine=auto", "--paddock-context=other", files=files, environment=environment)
    assert result.code == 4, result
    assert "The kube context 'other' does not exist; the kubeconfig has: kind-gone" in result.err
