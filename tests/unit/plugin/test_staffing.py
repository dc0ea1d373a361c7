from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from paddock.errors import LeaseError
from paddock.plugin.roster import CANCELLED, Roster
from paddock.plugin.staffing import Staffing
from paddock.scheduling.sizing import Left
from paddock.specs import Cause, Fate

if TYPE_CHECKING:
    from paddock.engines.protocol import Engine
    from paddock.plugin.terminal import Terminal


def _advance(roster: Roster, worker: str) -> None:
    roster.advance(worker, CANCELLED)


def _nothing(_worker: str) -> None:
    pass


def staffing(workers: int, **held: str) -> tuple[Staffing, Roster, list[str]]:
    """Return the staff of a run whose engine says what holds workers; its roster, and the lines it tells."""
    lines: list[str] = []
    roster = Roster()
    terminal = cast("Terminal", SimpleNamespace(line=lines.append))
    made = Staffing(roster, terminal, lambda worker: _advance(roster, worker), _nothing)
    made.planned = [f"gw{number}" for number in range(workers)]
    for worker in made.planned:
        roster.enter(worker)

    def obstacle(worker: str) -> Cause | None:
        why = held.get(worker)
        return Cause(kind="fault", sentence=why, remedy="Mend it.", fate=Fate.LASTING) if why else None

    made.engine = cast("Engine", SimpleNamespace(obstacle=obstacle))
    return made, roster, lines


def collect(made: Staffing, roster: Roster, worker: str) -> None:
    """Have a worker come to its tests."""
    roster.advance(worker, "collectionfinish")
    made.hear(worker)


def test_a_worker_that_has_no_room_is_missed_and_not_awaited() -> None:
    """The first test waits only for those that may come any moment."""
    made, roster, _ = staffing(3, gw2="No room.")
    collect(made, roster, "gw0")
    assert (made.missing(), made.awaited()) == (["gw1", "gw2"], ["gw1"])


def test_many_with_one_reason_are_one_sentence() -> None:
    """The reason is told once, however many it holds up."""
    made, roster, lines = staffing(6, **dict.fromkeys(("gw2", "gw3", "gw4", "gw5"), "No room."))
    for worker in ("gw0", "gw1"):
        collect(made, roster, worker)
    made.tell()
    made.end()
    assert lines == [
        "tests run on 2 of 6 workers so far; gw2 and 3 others wait, holding up nobody: No room. Mend it.",
    ]


def test_a_lost_worker_does_not_count_beside_who_replaces_it() -> None:
    """Its place counts once, when somebody is at work there."""
    made, roster, lines = staffing(2, gw1="No room.")
    collect(made, roster, "gw0")
    roster.advance("gw0", "errordown")
    made.lose("gw0")
    roster.enter("gw2")
    assert made.missing() == ["gw1", "gw2"]
    collect(made, roster, "gw2")
    made.tell()
    assert lines == ["tests run on 1 of 2 workers so far; gw1 waits, holding up nobody: No room. Mend it."]


def test_the_end_tells_of_obstacles_only() -> None:
    """A worker that was merely slow is not worth a line once everything has run."""
    made, roster, lines = staffing(2)
    collect(made, roster, "gw0")
    made.end()
    assert not lines


class Run:
    """A staff with a reserve, a clock, and xdist's side of it."""

    def __init__(self, workers: int, known: int) -> None:
        self.roster, self.now = Roster(), 0.0
        self.cancelled: list[str] = []
        self.given_back: list[str] = []
        self.let_go: list[str] = []
        self.lines: list[str] = []
        terminal = cast("Terminal", SimpleNamespace(line=self.lines.append))
        self.staff = Staffing(self.roster, terminal, self._cancel, self.let_go.append, lambda: self.now)
        engine = SimpleNamespace(obstacle=lambda _: None, give_back=self.given_back.append)
        self.staff.engine = cast("Engine", engine)
        names = [f"gw{number}" for number in range(workers)]
        for worker in names:
            self.roster.enter(worker)
        self.first = self.staff.plan(names, known)

    def _cancel(self, worker: str) -> None:
        self.roster.advance(worker, CANCELLED)
        self.cancelled.append(worker)

    def asked(self) -> list[str]:
        """Return the workers that were asked for and have not come."""
        return self.staff.missing()


def test_no_more_are_made_than_there_are_known_tests_for() -> None:
    """The rest is a reserve that nobody waits for; where nothing is known all are made."""
    run = Run(5, known=2)
    assert (run.first, run.staff.awaited()) == (["gw0", "gw1"], ["gw0", "gw1"])
    told = "2 of 5 workers are made: earlier runs know no more that could run at once; others follow if there is more"
    assert (run.staff.line(), Run(5, known=0).staff.line()) == (told, "")
    assert Run(5, known=0).first == Run(5, known=9).first == [f"gw{number}" for number in range(5)]


def test_the_reserve_is_asked_for_when_there_is_more_to_do_than_was_known() -> None:
    """As many as find something to do by the time they are there, and never more than the run was given."""
    run = Run(5, known=1)
    run.now = 3.0
    collect(run.staff, run.roster, "gw0")
    assert not run.staff.staff(lambda: Left(0, 2.9))
    assert run.staff.staff(lambda: Left(40, 2.9))
    assert run.asked() == []
    run.staff.staff(lambda: Left(40, 7.0))
    assert run.asked() == ["gw1", "gw2"]
    assert run.staff.staff(lambda: Left(2, 700.0))
    assert run.asked() == ["gw1", "gw2"]
    assert not run.staff.staff(lambda: Left(40, 700.0))
    assert run.asked() == ["gw1", "gw2", "gw3", "gw4"]


def test_who_would_find_nothing_to_do_is_sent_home() -> None:
    """The last ones first; its lease is given back, unless it is wanted at the end or was never made."""
    run = Run(4, known=0)
    collect(run.staff, run.roster, "gw0")
    run.staff.staff(lambda: Left(1, 1.0))
    assert run.cancelled == ["gw2", "gw3"]
    run.staff.finished("gw3", wanted=False)
    run.staff.finished("gw2", wanted=True)
    assert run.given_back == run.let_go == ["gw3"]
    reserve = Run(2, known=1)
    reserve.staff.finished("gw1", wanted=False)
    assert reserve.given_back == []
    last = Run(1, known=0)
    last.roster.advance("gw0", "workerfinished")
    last.staff.finished("gw0", wanted=False)
    assert last.given_back == []


def test_a_reserve_alone_is_nobody() -> None:
    """The run ends when all who were asked for are gone before anything was collected."""
    run = Run(3, known=1)
    assert not run.staff.is_left_alone
    run.roster.advance("gw0", "errordown")
    assert run.staff.is_left_alone


def test_nobody_waits_for_a_turn_that_does_not_come() -> None:
    """Whoever is let go is told so; whoever is asked for goes on; others need not wait at all."""
    run = Run(3, known=1)
    collect(run.staff, run.roster, "gw0")
    run.staff.await_turn("gw0")
    run.staff.staff(lambda: Left(1, 10.0))
    run.staff.await_turn("gw1")
    run.roster.advance("gw2", CANCELLED)
    run.staff.close()
    with pytest.raises(LeaseError, match="Nobody needs gw2 any more"):
        run.staff.await_turn("gw2")


def test_who_had_no_room_while_there_was_work_is_told_of() -> None:
    """Also when the others have done it by then; not who was too many from the beginning."""
    made, roster, lines = staffing(4, gw1="No room.", gw2="No room.", gw3="No room.")
    collect(made, roster, "gw0")
    made.staff(lambda: Left(2, 1.0))
    made.staff(lambda: Left(0, 1.0))
    made.end()
    assert lines == ["tests ran on 1 of 4 workers; gw1 and gw2 wait, holding up nobody: No room. Mend it."]


def test_who_was_asked_for_with_a_reason_stays() -> None:
    """Whoever replaces a lost worker or is to run a test again is not sent home for want of other work."""
    run = Run(2, known=1)
    collect(run.staff, run.roster, "gw0")
    assert run.staff.ask_one()
    assert not run.staff.ask_one()
    run.roster.enter("gw2")
    run.staff.staff(lambda: Left(0, 0.0))
    assert (run.asked(), run.cancelled) == (["gw1", "gw2"], [])


def test_who_comes_after_everybody_was_there_is_seen() -> None:
    """While nobody comes or goes there is nothing to look at; a replacement is looked at again."""
    made, roster, _ = staffing(2)
    for worker in ("gw0", "gw1"):
        collect(made, roster, worker)
    made.staff(lambda: pytest.fail("nobody is missing"))
    roster.enter("gw2")
    made.planned = [*made.planned, "gw2"]
    made.staff(lambda: Left(0, 0.0))
    assert roster.alive() == ["gw0", "gw1"]


def test_who_holds_hardware_is_not_sent_home_while_tests_need_it() -> None:
    """Though it is the one that something keeps from coming; those are too many who could only run other tests."""
    run = Run(4, known=0)
    collect(run.staff, run.roster, "gw3")
    held = Cause(kind="fault", sentence="No device.", remedy="Mend it.", fate=Fate.LASTING)
    engine = cast("SimpleNamespace", run.staff.engine)
    engine.holds_hardware = ["gw0"].__contains__
    engine.obstacle = lambda worker: held if worker == "gw0" else None
    run.staff.staff(lambda: Left(3, 9.0, for_hardware=2))
    assert run.cancelled == ["gw2"], "of three openings one is for those without hardware"
    run.staff.staff(lambda: Left(1, 9.0, for_hardware=1))
    assert run.cancelled == ["gw2", "gw1"]
    run.staff.staff(lambda: Left(0, 9.0))
    assert run.cancelled == ["gw2", "gw1", "gw0"]
