"""How ``paddock shell`` is understood and what it runs in the pod."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from paddock.cli import kubectl, main, reaching, shell, targets
from paddock.errors import UsageError
from paddock.namespaces import inventory
from tests.unit.cli.inspected import pod, run, worker

FIRST = [
    "/v/bin/python",
    "-I",
    "-S",
    "-B",
    "-u",
    "/lib/paddock/workers/inpod/__main__.py",
    "supervise",
    "--socket",
    "s",
]
WORKER = {"spec": {"containers": [{"command": FIRST}]}}
BROKER = {"spec": {"containers": [{"command": ["/opt/paddock/bin/start"]}]}}
ENTER = ["/v/bin/python", "-I", "-S", "-B", "-u", "/lib/paddock/workers/inpod/enter.py"]


class Became(Exception):  # noqa: N818 - not an error: what the process would have become
    """The command line that replaced this process."""


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(_program: str, argv: list[str], _environment: dict[str, str]) -> None:
        raise Became(argv)

    pods = (pod("worker"), pod("broker"), pod("database", "its phase is Pending"))
    cluster = SimpleNamespace(send=lambda request: BROKER if "broker" in request.path else WORKER)
    monkeypatch.setattr(reaching, "reach", lambda _arguments: cluster)
    monkeypatch.setattr(inventory, "read", lambda _cluster: [run("k7x2mq", worker("gw0", pods=pods))])
    monkeypatch.setattr(kubectl, "find", lambda *_: kubectl.Kubectl("kubectl"))
    monkeypatch.setattr(os, "execve", become)


def became(*arguments: str) -> Any:
    with pytest.raises(Became) as raised:
        main.main(["shell", *arguments])
    (argv,) = raised.value.args
    assert argv[:5] == ["kubectl", "exec", "--stdin", "--namespace", "paddock-k7x2mq-gw0"]  # no terminal in a test
    return argv[5:]


@pytest.mark.parametrize(
    ("arguments", "argv"),
    [
        (("gw0",), ["worker", "--", *ENTER]),
        (("gw0", "--", "ls", "-l", "--", "x"), ["worker", "--", *ENTER, "ls", "-l", "--", "x"]),
        (("gw0", "--pod", "broker", "--", "ps"), ["broker", "--", "ps"]),
        (("--pod", "broker", "gw0"), ["broker", "--", "/bin/sh"]),
        (("--context", "kind-a", "gw0", "--kubeconfig=k"), ["worker", "--", *ENTER]),
    ],
)
def test_a_worker_is_entered_and_other_pods_get_a_plain_shell(arguments: tuple[str, ...], argv: list[str]) -> None:
    """Options may stand on both sides of the worker; what stands behind ``--`` is the command's own."""
    assert became(*arguments) == argv


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gw0", "ls"), "A command stands behind '--': paddock shell gw0 -- ls"),
        (("--", "ls"), f"A worker is missing: paddock shell WORKER; expected {targets.MEANING}."),
        ((), f"A worker is missing: paddock shell WORKER; expected {targets.MEANING}."),
        (("gw0", "--pod", "database"), "The pod database of k7x2mq/gw0 does not run: its phase is Pending."),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, with what to type."""
    assert main.main(["shell", *arguments]) == UsageError.exit_code
    assert capsys.readouterr().err == f"paddock: {sentence}\n"


def test_a_terminal_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where there is one: a pipe into a terminal of the pod would garble both."""
    for isatty in (True, False):
        terminal = SimpleNamespace(isatty=lambda isatty=isatty: isatty)
        monkeypatch.setattr(shell, "sys", SimpleNamespace(stdin=terminal, stdout=terminal))
        assert ("--tty" in shell._terminal()) is isatty
