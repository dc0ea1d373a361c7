"""The end of a run: everything is given back exactly once, accounted for, and looked after behind the prompt.

Begins as soon as no worker is needed any more, while pytest still sums up. Owns the account, its lines, its file and
the process that looks whether all is gone. It must not know what an engine gives back, nor handle signals: a
KeyboardInterrupt ends any wait in here.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import threading
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paddock import run_accounts
from paddock.engines import verification
from paddock.errors import InfrastructureError
from paddock.report_folder import ReportFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from paddock.engines.protocol import Engine
    from paddock.plugin.terminal import Terminal
    from paddock.settings.resolution import Settings
    from paddock.specs import Account

PLUGIN = "paddock-giving-back"
NOTICE = "paddock: the namespaces are being given back; interrupt again to leave them"


class Leader(Protocol):
    """What leads a run: the controller of workers, or the only process."""

    @property
    def settings(self) -> Settings:
        """What the user asked for."""

    @property
    def engine(self) -> Engine | None:
        """What has been made, once there is anything."""

    @property
    def terminal(self) -> Terminal:
        """Where lines go."""

    def close(self) -> None:
        """End what still runs on this side; idempotent."""


class GivingBack:
    """Gives back what the leader's engine has made."""

    def __init__(self, controller: Leader, rootdir: Path, on_begin: Callable[[], None]) -> None:
        settings = controller.settings
        self._controller, self._run_id, self._require_clean = controller, settings.run_id, settings.require_clean
        self._reports = rootdir / settings.report_folder
        self._folder = ReportFolder(self._reports, settings.run_id)
        self._given_back: Future[Account] | None = None
        self._began, self._on_begin = datetime.now(UTC), on_begin

    def pytest_sessionstart(self) -> None:
        """Tell what an earlier run of this project has left behind its prompt."""
        for sentence in run_accounts.untold(self._reports):
            self._line(sentence, yellow=True)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, object, object]:
        """Begin when the workers have ended, so that the deletion is asked for while pytest sums up."""
        if self._controller.engine is not None:
            self._controller.engine.hold(passed=exitstatus == pytest.ExitCode.OK)
        try:
            return (yield)
        finally:
            if self._controller.engine is not None:
                self._on_begin()
                self._begin(self._controller.engine)
            # Pytest looks five times for garbage at its end, and the interpreter once more: 0.15 s of a processor
            # (measured), which the prompt waits for, for what stays until then in any case.
            gc.freeze()
            atexit.register(gc.freeze)

    def finish(self) -> bool:
        """Wait until everything is given back, tell the account, and return whether nothing is left.

        Somebody looks behind the prompt whether it is gone; with ``--paddock-require-clean`` this waits for that.
        """
        engine = self._controller.engine
        if engine is None:
            return True
        try:
            account = self._begin(engine).result()
        except InfrastructureError as error:
            self._look_after(engine, engine.so_far())
            self._line(f"the namespaces were not given back: {error}", red=True)
            return False
        left = self._look_after(engine, account)
        for note in account.notes:
            self._line(note)
        deleted = [name for name in account.deleted if name not in left]
        self._line(replace(account, deleted=deleted, left=left).sentence(), red=bool(left))
        return not left

    def leave(self) -> None:
        """Wait for nothing: tell what is left, and have it ended behind the prompt."""
        engine = self._controller.engine
        if engine is None:
            return
        account = engine.so_far()
        self._start_looking(engine, account, *([verification.DELETE] if account.left else []))
        if not account.left:
            self._line(f"interrupted twice; {account.sentence()}")
            return
        self._line(
            f"interrupted twice; {len(account.left)} {account.what} are left and end behind this prompt:", red=True
        )
        for name in account.left:
            self._line(f"  {name}", red=True)
        if engine.afterwards():
            self._line(
                f"'paddock reap --run {self._run_id}' ends them as well, and waits until they are gone", red=True
            )

    def _line(self, text: str, *, red: bool = False, yellow: bool = False) -> None:
        self._controller.terminal.line(text, red=red, yellow=yellow)

    def _begin(self, engine: Engine) -> Future[Account]:
        """Begin to give back, once, in a thread that the end of the process does not wait for."""
        if self._given_back is None:
            future = self._given_back = Future()
            self._began = datetime.now(UTC)
            threading.Thread(target=_fill, args=(future, engine), name="paddock-release", daemon=True).start()
        return self._given_back

    def _look_after(self, engine: Engine, account: Account) -> Mapping[str, str]:
        """Have somebody look whether all is gone, and return what is left as far as is known then."""
        # What could not be asked for may be asked for again, but never in a run of which something is to stay.
        again = [verification.DELETE] if account.left and not account.kept else []
        if not self._require_clean:
            self._start_looking(engine, account, *again)
            return account.left
        if not engine.afterwards():
            self._save(self._told(account))
            return account.left
        self._line("waiting until the namespaces are gone (--paddock-require-clean)")
        left, reason = _look([*engine.afterwards(), *again])
        left = left if again else {**account.left, **left}
        self._save(run_accounts.seen(self._told(account), left, reason))
        return dict.fromkeys(account.created, f"nobody could look whether it is gone: {reason}") if reason else left

    def _start_looking(self, engine: Engine, account: Account, *options: str) -> None:
        command, told = engine.afterwards(), self._told(account)
        if self._save(run_accounts.looking(told) if command else told) and command:
            _start([*command, *options, verification.account(self._folder.path)], self._folder.path)

    def _told(self, account: Account) -> Mapping[str, Any]:
        return run_accounts.first(self._run_id, account, self._began)

    def _save(self, account: Mapping[str, Any]) -> bool:
        try:
            run_accounts.write(self._folder, account)
        except OSError as error:
            self._line(f"the account could not be written to {self._folder.path}: {error.strerror}", yellow=True)
            return False
        return True


def _fill(future: Future[Account], engine: Engine) -> None:
    try:
        told = engine.preserved()  # what explains failures is kept before anything goes
        account = engine.release()
        future.set_result(replace(account, notes=[*told, *account.notes]))
    except BaseException as error:  # noqa: BLE001 - raised again where the account is awaited
        future.set_exception(error)


def _look(command: Sequence[str]) -> tuple[Mapping[str, str], str]:
    """Return what is left, or why nobody could look."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return {}, f"who looked ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}"
    return told["left"], told["reason"]


def _start(command: list[str], folder: Path) -> None:
    """Start who looks, in a session of its own and with the lock of the run's folder; nobody waits for it here."""
    with ExitStack() as stack:
        with suppress(OSError):  # a file system without locks: nobody can wait for it then
            os.set_inheritable(stack.enter_context(run_accounts.locked(folder)), True)  # noqa: FBT003 - as it is
        nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        os.posix_spawn(command[0], command, os.environ, file_actions=nowhere, setsid=True)
