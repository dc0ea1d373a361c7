"""Credentials that expire: read again once when they are refused, wherever they come from."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from paddock.cluster import connect, official, requests
from paddock.cluster.credentials import Credentials, Session
from paddock.errors import NotAllowed
from tests.unit.cluster.scripted_server import Answer, Asked, ScriptedServer, client, serving

if TYPE_CHECKING:
    from pathlib import Path

POD = requests.get(requests.POD, "p", "n")
UNKNOWN = Answer(401, {"kind": "Status", "message": "Unauthorized"})


def only(token: str) -> ScriptedServer:
    """Return a server that knows one token, and nobody else."""

    def refuse(asked: Asked) -> Answer | None:
        return None if asked.token == f"Bearer {token}" else UNKNOWN

    return ScriptedServer(Answer(body={"kind": "Pod"}), before=refuse)


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    """Whoever rotates the token writes the file; the run goes on."""
    file = tmp_path / "token"
    file.write_text("old")
    with serving(only("new")) as server:
        cluster = client(server.url, tmp_path, {"tokenFile": str(file)})
        file.write_text("new")
        assert cluster.send(POD) == {"kind": "Pod"}
        assert cluster.send(POD) == {"kind": "Pod"}
        cluster.close()
    assert [asked.token for asked in server.asked] == ["Bearer old", "Bearer new", "Bearer new"]


PLUGIN = """
import json, pathlib, sys
calls = pathlib.Path(sys.argv[1])
calls.write_text(calls.read_text() + "x")
token = f"token-{len(calls.read_text())}"
print(json.dumps({
    "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token},
}))
"""


def test_a_plugin_is_asked_again(tmp_path: Path) -> None:
    """Also one that never said when its token expires; it is called once more, not once a request."""
    program, calls = tmp_path / "plugin.py", tmp_path / "calls"
    program.write_text(PLUGIN)
    calls.write_text("")
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program), str(calls)],
        "interactiveMode": "Never",
    }
    with serving(only("token-2")) as server:
        cluster = client(server.url, tmp_path, {"exec": plugin})
        assert [cluster.send(POD) for _ in range(3)] == [{"kind": "Pod"}] * 3
        cluster.close()
    assert calls.read_text() == "xx"


def test_the_token_of_a_pods_account_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet renews the file; who was refused before the client's own minute is over looks at once."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("old")
    authority.write_text("-")
    module: Any = official.module("config.incluster_config")
    monkeypatch.setattr(module, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(module, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setattr("urllib3.PoolManager", lambda **_: type("Pool", (), {"clear": lambda _: None})())
    credentials = Credentials(connect._account_configuration, None)
    token.write_text("new")

    def call(session: Session) -> str:
        said = session.headers()["Authorization"]
        if said.endswith("old"):
            raise NotAllowed("who are you", status=401)
        return said

    assert credentials.run(call) == "bearer new"


def test_one_more_try_and_no_more(tmp_path: Path) -> None:
    """Credentials that are not accepted after they were read again are the user's to mend."""
    with serving(only("other")) as server:
        with pytest.raises(NotAllowed, match="401: Unauthorized"):
            client(server.url, tmp_path).send(POD)
        assert len(server.asked) == 2


def test_a_missing_right_is_no_expired_credential(tmp_path: Path) -> None:
    """403 says that the account is known: asking again as the same one is pointless."""
    forbidden = Answer(403, {"kind": "Status", "message": "pods is forbidden"})
    with serving(ScriptedServer(forbidden)) as server:
        with pytest.raises(NotAllowed, match="pods is forbidden"):
            client(server.url, tmp_path).send(POD)
        assert len(server.asked) == 1


def test_credentials_that_cannot_be_read_again_leave_the_refusal(tmp_path: Path) -> None:
    """The sentence is the API server's: a file that has gone is why nothing newer could be tried."""
    file = tmp_path / "token"
    file.write_text("old")
    with serving(only("new")) as server:
        cluster = client(server.url, tmp_path, {"tokenFile": str(file)})
        (tmp_path / "kubeconfig").unlink()
        with pytest.raises(NotAllowed, match="401: Unauthorized"):
            cluster.send(POD)
        assert len(server.asked) == 1


def test_of_many_threads_that_are_refused_one_reads() -> None:
    """The others use what it found: a plugin may ask a person."""
    loads: list[int] = []
    configuration: Any = official.module("client.configuration").Configuration

    def load() -> Any:
        loads.append(len(loads))
        made = configuration()
        made.api_key = {"BearerToken": f"{len(loads)}"}
        return made

    credentials, together = Credentials(load, None), threading.Barrier(8)

    def call(session: Session) -> str:
        if session.headers()["Authorization"] == "1":
            together.wait(10)
            raise NotAllowed("who are you", status=401)
        return session.headers()["Authorization"]

    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(credentials.run(call))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["2"] * 8
    assert loads == [0, 1]


def test_a_stream_is_opened_with_what_was_read_again(tmp_path: Path) -> None:
    """A watch or a log that is refused is one more request like all others."""
    file = tmp_path / "token"
    file.write_text("old")
    with serving(only("new")) as server:
        cluster = client(server.url, tmp_path, {"tokenFile": str(file)})
        file.write_text("new")
        response = cluster.open(POD, silence=5)
        assert json.loads(response.read()) == {"kind": "Pod"}
        cluster.close()
