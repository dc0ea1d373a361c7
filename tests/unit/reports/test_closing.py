"""What a run says of its own speed at its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paddock.reports.closing import IDLE, SERVICES, TEARDOWN, TESTS, Past, Spent, lines, where

TWO = [
    Spent(worker="gw0", phases={"images": 1.0, TESTS: 8.0, TEARDOWN: 0.5, SERVICES: 0.5}),
    Spent(worker="gw1", phases={"images": 1.0, TESTS: 4.0, IDLE: 5.0}),
]
PAST = Past(serial=12.5, seconds=10.0, workers=TWO, units=[8.0, 4.0], asked=2)


def test_a_run_tells_its_speed_and_where_the_time_went() -> None:
    """Largest part first; utilisation counts the time in which tests could have run."""
    assert lines(PAST) == [
        "tests of 12 s one after another were over after 10 s on 2 workers: 1.2 times as fast",
        (
            "workers' time: tests 60%, idle 25%, images 10%, teardown 2%, services 2%; "
            "at work 72% of the time they were ready, least gw1 with 44%"
        ),
    ]


@pytest.mark.parametrize("past", [replace(PAST, serial=4.9), replace(PAST, workers=[])], ids=["short", "no worker"])
def test_a_run_that_nobody_would_change_says_nothing(past: Past) -> None:
    """Less than five seconds of tests, or none that ran."""
    assert lines(past) == []


def test_a_run_that_took_longer_does_not_boast() -> None:
    """As one does whose start took most of it."""
    told = lines(replace(PAST, seconds=20.0, workers=TWO[:1], asked=1, units=[8.0]))
    assert told[0] == "tests of 12 s one after another were over after 20 s on 1 worker"
    assert "least" not in told[1]


@pytest.mark.parametrize(
    ("units", "asked", "sentence"),
    [
        ([9.0, 1.0, 1.0], 8, "-n 2 would do: the longest of what stays together takes 9.0 s by itself"),
        ([1.0] * 200, 2, "-n 8 would take about 1:15 min less, where the cluster has room for it"),
        ([1.0] * 12, 2, ""),
        ([], 2, ""),
    ],
    ids=["fewer", "more", "too little to gain", "nothing known"],
)
def test_the_number_of_workers_is_advised_where_it_matters(units: list[float], asked: int, sentence: str) -> None:
    """Fewer where that takes as long; more where that saves ten seconds and a fifth."""
    assert lines(replace(PAST, units=units, asked=asked))[2:] == ([sentence] if sentence else [])


def test_phases_that_took_next_to_nothing_are_not_told() -> None:
    """Under one part in a hundred."""
    assert where([Spent(worker="gw0", phases={TESTS: 99.5, "sources": 0.5})]) == "tests 100%"
