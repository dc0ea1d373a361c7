"""How many workers a run is worth, and how that is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paddock.engines.room import Resources, Room
from paddock.scheduling.foresight import is_in, known_units, name_of_needy, seconds_of_needy
from paddock.scheduling.history import History, measured
from paddock.scheduling.sizing import CORES, MEMORY, START, Left, Usage, advise, is_worth_it, usage, worth

MIB = 1 << 20
GIB = 1 << 30


def room(cores: float = 2, memory: float = 8 * GIB, pods: int = 110) -> Room:
    """Return one node's room for workers that ask for little."""
    worker = Resources(cpu=0.1, memory=128 * MIB)
    return Room(free=[Resources(cpu=cores, memory=memory, pods=pods)], worker=worker, memory_limit=1 * GIB)


def test_until_anything_is_measured_a_worker_has_a_core() -> None:
    """And its memory limit."""
    found = advise(room(), Usage(), [])
    assert found.count == 2
    assert found.sentence(2) == (
        "-n auto: 2 workers: 2 cores are free, one for each until a run has measured what a worker uses "
        "(there would be room for 8)"
    )
    assert advise(room(memory=1.5 * GIB), Usage(), []).count == 1


def test_workers_that_wait_share_cores() -> None:
    """What they used is what counts; the number is bounded by the highest peak of memory with a margin."""
    used = Usage(cores=0.4, memory=400 * MIB)
    assert advise(room(), used, []).count == 5
    tight = advise(room(memory=1100 * MIB), used, [])
    assert tight.count == 2
    assert tight.reason == "no node has room for more, at 500 MiB a worker (there would be cores for 5)"


def test_no_more_than_the_known_tests_are_worth() -> None:
    """Three tests need three workers at most, and one that outlasts the rest together needs one beside it."""
    assert advise(room(cores=16), Usage(), [30.0] * 3).count == 3
    found = advise(room(cores=16), Usage(), [60.0, *[0.5] * 20])
    assert found.count == 2
    assert found.reason.startswith("more would not end sooner, by the 21 units of tests known so far (there would be")


def test_a_cluster_without_room_gets_one_that_waits() -> None:
    """A run has a worker; the sentence says what it is in for."""
    found = advise(Room(free=[], worker=Resources(cpu=0.1)), Usage(), [])
    assert (found.count, found.sentence(1)) == (
        1,
        "-n auto: 1 worker: no node has room for any at the moment, and it waits until there is some",
    )


def test_maxprocesses_is_named_where_it_decides() -> None:
    """The number is the run's, the reason that of the other one."""
    assert (
        advise(room(cores=8), Usage(), [])
        .sentence(3)
        .startswith("-n auto: 3 of 8 workers, which --maxprocesses allows; 8 cores are free")
    )


@given(
    units=st.lists(st.floats(0, 100), min_size=1, max_size=60),
    cores=st.floats(0, 64),
)
def test_the_number_that_a_run_is_worth(units: list[float], cores: float) -> None:
    """Between one and the units; one more or one less is no better by the same arithmetic."""
    found = worth(units, cores)

    def end(workers: int) -> float:
        return max(*units, sum(units) / workers) + START * workers / max(cores, 1.0)

    assert 1 <= found <= len(units)
    assert all(end(found) <= end(other) for other in (found - 1, found + 1) if 1 <= other <= len(units))


@given(
    cores=st.floats(0, 64),
    memory=st.floats(0, 64 * GIB),
    used=st.builds(Usage, cores=st.none() | st.floats(0, 8), memory=st.none() | st.floats(1, 8 * GIB)),
    units=st.lists(st.floats(0, 100), max_size=20),
)
def test_advice_is_bounded_by_everything(cores: float, memory: float, used: Usage, units: list[float]) -> None:
    """At least one worker, at most the units, and the memory of all is there unless none has room."""
    found = advise(room(cores, memory), used, units)
    assert 1 <= found.count <= max(1, len(units) or found.count)
    assert found.count == 1 or found.count * (used.memory or GIB) <= memory
    assert found.reason


def test_one_more_is_worth_it_if_it_finds_work_when_it_comes() -> None:
    """Not where the others are through by then, nor where nothing could be handed to it."""
    assert is_worth_it(Left(1, 7.0), 2, 3.0)
    assert not is_worth_it(Left(1, 6.0), 2, 3.0)
    assert not is_worth_it(Left(0, 70.0), 2, 3.0)
    assert is_worth_it(Left(1, 0.0), 0, 3.0)


def test_usage_is_the_usual_cores_and_the_highest_peak() -> None:
    """A run that was quiet does not make the next one too large for its nodes."""
    runs = [
        measured(when, {CORES: cores, MEMORY: peak})
        for when, cores, peak in ((1, 0.2, 90), (2, 0.4, 500), (3, 0.3, 80))
    ]
    assert usage(History().merged(*runs)) == Usage(cores=0.3, memory=500 * MIB)
    assert usage(History()) == Usage()


def test_what_is_known_of_what_is_asked_for() -> None:
    """Tests of the paths and node ids given, together as --dist has them; neither fixtures of files nor workers."""
    names = ("t/a.py::one[1]", "t/a.py::one[2]", "t/a.py::C::two", "t/b.py::x", "t2/c.py::y")
    history = measured(1, dict.fromkeys((*names, "t/a.py", CORES), 2.0))
    assert known_units(history, ["."], "load") == [2.0] * 5
    assert known_units(history, ["t"], "load") == [2.0] * 4
    assert known_units(history, ["t/a.py::one"], "load") == [2.0] * 2
    assert known_units(history, ["t/a.py::C", "t/b.py"], "no") == [2.0] * 2
    assert sorted(known_units(history, ["t", "t2"], "loadfile")) == [2.0, 2.0, 6.0]
    assert known_units(history, ["."], "load", only={"t/b.py::x", "gone.py::z"}) == [2.0]
    assert not is_in("t/a.py::one_more", "t/a.py::one")


def test_what_is_known_to_need_hardware() -> None:
    """Of the kinds that workers hold; it stands beside the tests' own times, which it does not change."""
    own = {"t/a.py::one[a b]": 2.0, "t/a.py::two": 3.0, "t/b.py::x": 4.0, "t/b.py::y": 5.0}
    kinds = {"t/a.py::one[a b]": ["coral"], "t/a.py::two": ["hailo", "coral"], "t/b.py::x": ["coral"]}
    history = measured(1, own | {name_of_needy(test, needed): own[test] for test, needed in kinds.items()})
    assert known_units(history, ["t"], "load") == [2.0, 3.0, 4.0, 5.0]
    assert seconds_of_needy(history, ["."], ["coral"]) == 6.0
    assert seconds_of_needy(history, ["."], ["coral", "hailo"]) == 9.0
    assert seconds_of_needy(history, ["t/a.py"], ["coral", "gpu"]) == 2.0
    assert seconds_of_needy(history, ["t"], ["coral"], only={"t/b.py::x", "t/b.py::y"}) == 4.0
    assert seconds_of_needy(history, ["t/b.py::y"], ["coral"]) is None
    assert seconds_of_needy(measured(1, {"::hardware": 1.0, "::hardware coral": 1.0}), ["."], ["coral"]) is None
