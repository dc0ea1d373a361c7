"""What earlier runs measured: merged in any order, corrected, kept whatever is wrong with the file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.scheduling import history, history_file
from paddock.scheduling.estimates import Estimates
from paddock.scheduling.history import EXPIRY, History, measured, parse, speed
from paddock.scheduling.units import GUESS

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000
SAMPLES = st.tuples(st.integers(0, NOW), st.floats(0, 1e4).map(lambda seconds: round(seconds, 4)))
HISTORIES = st.lists(st.tuples(st.sampled_from(["a.py", "a.py::t[\u2028é]", 'b.py::"x"\n']), SAMPLES)).map(
    lambda found: History().merged(*(History({name: (sample,)}) for name, sample in found))
)


@given(HISTORIES, HISTORIES, HISTORIES)
def test_merging_is_the_same_in_any_order_and_however_often(one: History, other: History, third: History) -> None:
    """CI jobs may merge their files as they like: commutative, associative, idempotent."""
    assert one.merged(other) == other.merged(one)
    assert one.merged(other).merged(third) == one.merged(other.merged(third))
    assert one.merged(other).merged(other) == one.merged(other)


@given(HISTORIES)
def test_a_history_survives_its_text(one: History) -> None:
    """What is written is what is read, and lines that git has put twice or in another order do no harm."""
    assert parse(one.text()) == (one, 0)
    header, *lines = one.text().split("\n")
    assert parse("\n".join([*reversed(lines), header, header, *lines])) == (one, 0)


def test_only_the_latest_samples_stay() -> None:
    """A file does not grow with the number of runs."""
    runs = [measured(NOW + number, {"a.py::t": float(number)}) for number in range(9)]
    assert History().merged(*runs).samples["a.py::t"] == tuple(
        (NOW + number, float(number)) for number in range(8, 3, -1)
    )


def test_an_odd_one_does_not_count() -> None:
    """The median of five: a machine that stood still for a minute says nothing about the test."""
    runs = [measured(NOW + number, {"a.py::t": seconds}) for number, seconds in enumerate([1.0, 1.1, 60.0, 0.9, 1.0])]
    assert History().merged(*runs).expected("a.py::t") == 1.0
    assert History().expected("a.py::t") is None


def test_a_slow_machine_is_corrected() -> None:
    """Its times are stored as the others would have measured them; noise and few tests correct nothing."""
    names = [f"a.py::t{number}" for number in range(20)]
    before = measured(NOW, dict.fromkeys(names, 2.0))
    assert speed(before, dict.fromkeys(names, 6.0)) == 3.0
    assert speed(before, dict.fromkeys(names, 2.2)) == 1.0
    assert speed(before, dict.fromkeys(names[:3], 6.0)) == 1.0
    assert speed(before, {**dict.fromkeys(names, 2.0), names[0]: 100.0}) == 1.0


def test_what_was_not_measured_for_long_is_forgotten() -> None:
    """Tests that are gone do not stay for ever, nor those of files that are gone when they are asked for."""
    both = measured(NOW - EXPIRY - 1, {"a.py::old": 1}).merged(measured(NOW, {"a.py::new": 1, "b.py::new": 1}))
    assert set(both.pruned(NOW).samples) == {"a.py::new", "b.py::new"}
    assert set(both.pruned(NOW, lambda file: file == "b.py").samples) == {"b.py::new"}


@pytest.mark.parametrize(
    "line", ['["a", []]', '["a", [[1, -1]]]', '["a", [[1, NaN]]]', "[1]", "{", "[3, [[1, 1]]]", "7"]
)
def test_lines_that_cannot_be_meant_are_counted(line: str) -> None:
    """The others are used."""
    whole = measured(NOW, {"a.py::t": 1.0})
    assert parse(f"{whole.text()}{line}\n") == (whole, 1)


# ---- on disk


def test_runs_that_end_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each reads anew under the lock what the others have written; nothing but the history is left behind."""
    path = tmp_path / "of" / "history.jsonl"
    runs = [measured(NOW, {f"a.py::t{number}": 1.0}) for number in range(12)]
    complaints: list[str] = []
    threads = [
        threading.Thread(target=lambda run=run: complaints.append(history_file.save(path, run, NOW))) for run in runs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert history_file.load(path).history == History().merged(*runs)
    assert set(complaints) == {""}
    assert {one.name for one in path.parent.iterdir()} == {".gitignore", "history.jsonl"}


def test_a_history_is_read_again_only_if_somebody_has_changed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run has loaded at its start still holds at its end, unless another one ended meanwhile."""
    path = tmp_path / "history.jsonl"
    one, two, three = (measured(NOW, {f"a.py::t{number}": 1.0}) for number in range(3))
    history_file.save(path, one, NOW)
    known = history_file.load(path)
    reader = Mock(wraps=history_file.load)
    monkeypatch.setattr(history_file, "load", reader)
    assert (history_file.save(path, two, NOW, known), reader.call_count) == ("", 0)
    assert (history_file.save(path, three, NOW, known), reader.call_count) == ("", 1)
    assert history_file.load(path).history == one.merged(two, three)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"no history\n", b"[1, 2]\n"])
def test_a_corrupt_history_is_kept_beside_the_new_one(content: bytes, tmp_path: Path) -> None:
    """It is one sentence, the run is planned without it, and nothing is thrown away."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    loaded = history_file.load(path)
    assert loaded.history == History()
    assert f"{path} cannot be read" in loaded.complaint
    assert "kept as" in history_file.save(path, measured(NOW, {"a.py::t": 1}), NOW)
    assert (tmp_path / "history.jsonl.broken").read_bytes() == content
    assert history_file.load(path).history.expected("a.py::t") == 1


def test_a_history_with_some_bad_lines_is_used(tmp_path: Path) -> None:
    """What can be read counts; the whole file is kept beside the new one."""
    path = tmp_path / "history.jsonl"
    path.write_text(measured(NOW, {"a.py::t": 1}).text() + "bad\n")
    assert history_file.load(path).complaint == f"1 lines of the history {path} cannot be read: the others are used."
    history_file.save(path, measured(NOW, {"a.py::u": 1}), NOW)
    assert set(history_file.load(path).history.samples) == {"a.py::t", "a.py::u"}
    assert (tmp_path / "history.jsonl.broken").read_text().endswith("bad\n")


def test_a_history_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """A newer Paddock's file is neither used nor changed, and the sentence says what to do."""
    path = tmp_path / "history.jsonl"
    path.write_text('{"paddock-history": 99}\nwhatever\n')
    loaded = history_file.load(path)
    assert "has version 99, expected 1" in loaded.complaint
    assert "left as it is" in history_file.save(path, measured(NOW, {"a.py::t": 1}), NOW)
    assert path.read_text() == '{"paddock-history": 99}\nwhatever\n'


def test_a_read_only_history_is_used_and_not_changed(tmp_path: Path) -> None:
    """A CI job that only reads says so by the file's mode; one sentence tells that times are not kept."""
    path = tmp_path / "history.jsonl"
    before = measured(NOW, {"a.py::t": 1})
    path.write_text(before.text())
    path.chmod(0o444)
    assert "cannot be written (it is read-only)" in history_file.save(path, measured(NOW, {"a.py::u": 1}), NOW)
    assert history_file.load(path).history == before
    assert [one.name for one in tmp_path.iterdir()] == ["history.jsonl"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    assert "cannot be written" in history_file.save(tmp_path / "file" / "history.jsonl", measured(NOW, {"a": 1}), NOW)


def test_none_is_kept_where_none_is_wanted() -> None:
    """/dev/null is read as empty and never replaced."""
    from pathlib import Path  # noqa: PLC0415 - at run time only here

    null = Path("/dev/null")
    assert history_file.load(null) == history_file.Loaded(History())
    assert history_file.save(null, measured(NOW, {"a": 1}), NOW) == ""
    assert null.is_char_device()


def test_a_run_that_holds_the_lock_is_waited_for_and_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process may hold it for ever."""
    monkeypatch.setattr(history_file, "PATIENCE", 0.05)
    with history_file._locked(tmp_path):
        complaint = history_file.save(tmp_path / "history.jsonl", measured(NOW, {"a": 1}), NOW)
    assert "another run has been writing for seconds" in complaint


# ---- estimates


def test_unknown_tests_are_estimated_from_those_like_them() -> None:
    """Other parameters of the function, then the file's tests with the same marks, the file, the marks, all."""
    known = measured(
        NOW,
        {"a.py::t[1]": 1, "a.py::t[2]": 3, "a.py::slow1": 50, "b.py::u": 0.5, "c.py": 9, "a.py": 4},
    )
    marks = {name: ["slow"] for name in ("a.py::slow1", "a.py::slow2", "d.py::slow")}
    tests = ["a.py::t[1]", "a.py::t[2]", "a.py::t[3]", "a.py::slow1", "a.py::slow2", "a.py::v", "b.py::u", "b.py::w"]
    estimates = Estimates(known, marks)
    assert estimates.learn(tests) == 4
    assert estimates.seconds("a.py::t[1]") == 1
    assert estimates.seconds("a.py::t[3]") == 2
    assert estimates.seconds("a.py::slow2") == 50
    assert estimates.seconds("a.py::v") == 2
    assert estimates.seconds("b.py::w") == 0.5
    assert estimates.seconds("d.py::slow") == 50
    assert estimates.seconds("d.py::x") == pytest.approx(54.5 / 4)
    assert estimates.shared(tests) == {"a.py": 4}
    assert Estimates(History()).seconds("a.py::t") == GUESS


def test_the_history_knows_its_own_key() -> None:
    """A node id that holds the words of the header is no header."""
    one = measured(NOW, {f"a.py::{history.KEY}": 1})
    assert parse(one.text()) == (one, 0)
