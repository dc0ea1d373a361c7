"""Laws of keeping evidence: secrets are masked, nothing reaches the run, and each thing is told once."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from paddock.engines import witness as witness_module
from paddock.engines.evidence import Evidence, parts, secrets_of
from paddock.engines.witness import Tail, Witness
from paddock.errors import NotAllowed
from paddock.report_folder import ReportFolder
from paddock.specs import Images, PhaseLimits, PythonEnvironment, Report, RunPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from paddock.deadlines import Deadline

PATIENCE = 10.0


def evidence(folder: Path, *secrets: str, seconds: float = PATIENCE) -> Evidence:
    """Return what keeps evidence in ``folder``."""
    return Evidence(lambda _worker: set(secrets), ReportFolder(folder, "k7x2mq"), seconds)


def look(**files: str) -> Callable[[Deadline], Iterator[tuple[str, str]]]:
    """Return what finds these files."""
    return lambda _deadline: iter(files.items())


def written(folder: Path) -> dict[str, str]:
    """Return what is in the run's folder."""
    place = folder / "k7x2mq"
    files = (path for path in place.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(place)): path.read_text() for path in files}


def test_what_is_told_and_what_is_found_is_kept_with_secrets_masked(tmp_path: Path) -> None:
    """The longer secret first: a shorter one may be a part of it."""
    kept = evidence(tmp_path, "hunter2", "hunter2-and-more")
    kept.begin("gw0", {"cause.txt": "hunter2"}, look(log="a hunter2-and-more z"))
    assert kept.finish(PATIENCE) == [f"evidence of gw0: {tmp_path}/k7x2mq"]
    assert written(tmp_path) == {"gw0/cause.txt": "***", "gw0/log": "a *** z"}


def test_a_worker_is_looked_at_once_and_told_of_as_often_as_wanted(tmp_path: Path) -> None:
    """The first look is the one at the time of the failure."""
    kept = evidence(tmp_path)
    kept.begin("gw0", {}, look(log="first"))
    kept.begin("gw0", {"failures.txt": "x"}, look(log="second"))
    assert kept.finish(PATIENCE) == [f"evidence of gw0: {tmp_path}/k7x2mq"]
    kept.begin("gw0", {}, look(log="third"), folder="left")
    assert kept.finish(PATIENCE) == [f"evidence of gw0: {tmp_path}/k7x2mq"]
    assert written(tmp_path) == {"gw0/log": "first", "gw0/failures.txt": "x", "gw0/left/log": "third"}


def test_nothing_to_keep_is_nothing_told(tmp_path: Path) -> None:
    """A run without a failure leaves no folder."""
    assert evidence(tmp_path / "reports").finish(PATIENCE) == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many workers it concerns; nothing is raised."""

    def full(path: Path, *_: object, **__: object) -> int:
        raise OSError(28, os.strerror(28), str(path))

    kept = evidence(tmp_path)
    monkeypatch.setattr(ReportFolder, "write", full)
    for worker in ("gw0", "gw1"):
        kept.begin(worker, {}, look(log="x"))
    (sentence,) = kept.finish(PATIENCE)
    assert sentence.startswith("evidence of gw0, gw1 was not kept: No space left on device: ")


def test_a_folder_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    """Here a file is in the way; a disk that is mounted read-only says so in the same manner."""
    (tmp_path / "file").touch()
    kept = evidence(tmp_path / "file" / "reports")
    kept.begin("gw0", {"cause.txt": "x"})
    assert kept.finish(PATIENCE) == [
        f"evidence of gw0 was not kept: File exists: {tmp_path}/file",
    ]


def test_a_defect_in_looking_does_not_reach_the_run(tmp_path: Path) -> None:
    """What was told is there all the same."""

    def broken(_deadline: Deadline) -> Iterator[tuple[str, str]]:
        yield "log", "x"
        raise KeyError("state")

    kept = evidence(tmp_path)
    kept.begin("gw0", {"cause.txt": "y"}, broken)
    (sentence,) = kept.finish(PATIENCE)
    assert sentence == "evidence of gw0 was not kept: an error in Paddock itself, please report it: KeyError('state')"
    assert written(tmp_path) == {"gw0/cause.txt": "y", "gw0/log": "x"}


def test_nobody_waits_longer_than_allowed(tmp_path: Path) -> None:
    """A cluster that does not answer takes no more than the limit."""
    go_on, over = threading.Event(), threading.Event()

    def slow(_deadline: Deadline) -> Iterator[tuple[str, str]]:
        yield "log", "x"
        go_on.wait(PATIENCE)
        over.set()

    kept = evidence(tmp_path, seconds=0.05)
    kept.begin("gw0", {}, slow)
    assert kept.finish(0.05)[-1] == (
        "evidence of gw0 took longer than 0.05 s; what came is there. Allow more with --paddock-evidence-limit."
    )
    go_on.set()
    assert over.wait(PATIENCE)


def plan(environment: Mapping[str, str] | None = None, credentials: str = "", report: Report | None = None) -> RunPlan:
    """Return a plan of which the secrets matter."""
    return RunPlan(
        run_id="k7x2mq",
        workers=("gw0",),
        root=Path("/src"),
        working_directory=Path("/src"),
        images=Images(worker="w", broker="b", database="d"),
        python=PythonEnvironment(executable=Path("/usr/bin/python3")),
        environment=environment or {},
        pull_credentials=credentials,
        limits=PhaseLimits(evidence=PATIENCE),
        report=report,
    )


def test_every_secret_of_a_run_is_known() -> None:
    """Drawn ones, the user's own by their variables' names, and those of registries; user names are none."""
    credentials = {"broker": {"USERNAME": "paddock", "PASSWORD": "drawn-1"}, "database": {"PASSWORD": "drawn-2"}}
    environment = {"API_TOKEN": "own-1", "LANG": "C.UTF-8"}
    login = '{"auths": {"example.org": {"username": "me", "password": "own-2", "auth": "bWU6b3du"}}}'
    found = secrets_of(plan(environment, login), credentials)
    assert found == {"drawn-1", "drawn-2", "own-1", "own-2", "bWU6b3du"}
    assert secrets_of(plan(credentials="no json"), {}) == {"no json"}


def test_the_lines_of_a_secret_are_secret_and_short_ones_are_not() -> None:
    """A log may hold one line of a key; three letters stand in any text."""
    assert parts({"BEGIN KEY\nabcdefgh\n", "abc"}) == {"BEGIN KEY\nabcdefgh", "BEGIN KEY", "abcdefgh"}


def test_the_last_lines_are_kept_within_a_bound() -> None:
    """The oldest make room, and one that is larger than all leaves nothing."""
    tail = Tail(8)
    for line in (b"one", b"two", b"three"):
        tail.add(line)
    assert tail.text() == "three\n"
    tail.add(b"x" * 9)
    assert tail.text() == ""
    tail.add(b"\xff")
    assert tail.text() == "\ufffd\n"


class Watch:
    """A watch of namespaces that shows what a test puts into it."""

    made: list[Watch]

    def __init__(self, *_: object) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.changed = threading.Condition()
        self.closed = False
        self.refused = False
        Watch.made.append(self)

    def show(self, name: str, **metadata: Any) -> None:
        """Have a namespace look like this."""
        with self.changed:
            self.objects[("", name)] = {"metadata": {"name": name, **metadata}}
            self.changed.notify_all()

    def wait(self, find: Callable[..., Any], _deadline: object) -> Any:
        """Return what is found, once something is, or nothing once closed."""
        if self.refused:
            raise NotAllowed("no right to watch", status=403)
        with self.changed:
            assert self.changed.wait_for(lambda: self.closed or find(self.objects), PATIENCE)
            return find(self.objects)

    def close(self) -> None:
        """Let whoever waits go."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class Leases:
    """A run's pods as it saw them last."""

    seen: Mapping[tuple[str, str], Any] = {}

    def await_end(self, *_: object) -> str:
        """Have no news."""
        return ""


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    """A run's witness over a cluster that has nothing any more."""
    Watch.made = []
    monkeypatch.setattr(witness_module, "Watch", Watch)
    monkeypatch.setattr(witness_module, "Collector", lambda *_, **__: SimpleNamespace(files=lambda _seen: []))
    report = Report(folder=tmp_path)
    one = Witness(None, plan(report=report), report, Leases(), {})  # type: ignore[arg-type] # the cluster is not asked
    yield one
    one.close()


def test_a_namespace_that_is_deleted_under_the_run_is_looked_at_at_once(witness: Witness, tmp_path: Path) -> None:
    """Once for each; one that is as it should be is left alone, and so is one that is no worker's."""
    witness.watch()
    witness.watch()
    (watch,) = Watch.made
    watch.show("paddock-k7x2mq-gw1", labels={"paddock.dev/worker": "gw1"})
    watch.show("paddock-k7x2mq-shared", deletionTimestamp="now")
    watch.show("paddock-k7x2mq-gw0", labels={"paddock.dev/worker": "gw0"}, deletionTimestamp="now")
    watch.show("paddock-k7x2mq-gw0", labels={"paddock.dev/worker": "gw0"}, deletionTimestamp="now", more=1)
    guards = [one for one in threading.enumerate() if one.name == "namespace-guard"]
    witness.close()
    for guard in guards:
        guard.join(PATIENCE)
    assert witness.finish() == [f"evidence of gw0: {tmp_path}/k7x2mq"]
    assert "namespace paddock-k7x2mq-gw0 was being deleted" in written(tmp_path)["gw0/deleted.txt"]


def test_what_workers_share_is_looked_at_with_any_of_them_once(
    witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test may have failed for what its broker did, and that is none of its worker's namespace."""
    looked: list[str] = []

    def collector(_cluster: object, namespace: str, **_: object) -> SimpleNamespace:
        looked.append(namespace)
        return SimpleNamespace(files=lambda _seen: [("pods.txt", "x")])

    monkeypatch.setattr(witness_module, "Collector", collector)
    witness._plan = replace(witness._plan, shares_broker=True)
    witness.preserve("gw0", {}, lost=False)
    witness.preserve("gw1", {}, lost=False)
    assert witness.finish() == [f"evidence of gw0, gw1, shared: {tmp_path}/k7x2mq"]
    assert sorted(looked) == ["paddock-k7x2mq-gw0", "paddock-k7x2mq-gw1", "paddock-k7x2mq-shared"]


def test_a_run_that_may_not_watch_namespaces_goes_on(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard ends without a word."""
    monkeypatch.setattr(Watch, "wait", lambda *_: (_ for _ in ()).throw(NotAllowed("no", status=403)))
    witness.watch()
    assert witness.finish() == []


def test_nothing_is_watched_after_the_end(witness: Witness) -> None:
    """A worker may collect while the run is being ended; its deletions are the run's own then."""
    witness.close()
    witness.watch()
    assert Watch.made == []


def test_a_worker_whose_log_has_gone_leaves_its_last_words(witness: Witness, tmp_path: Path) -> None:
    """What came over its stream is known here."""
    witness.hear("gw0", b"the last word")
    witness.preserve("gw0", {}, lost=True)
    witness.finish()
    assert written(tmp_path) == {"gw0/stderr.txt": "the last word\n"}
