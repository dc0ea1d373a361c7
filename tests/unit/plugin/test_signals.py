"""What signals mean in each part of a run, as a table and with real signals."""

from __future__ import annotations

import signal
import threading

import pytest

from paddock.plugin.signals import SIGNALS, TABLE, Action, Interrupts, State, before_the_run

NOTICE = "once more to leave"


def send(number: signal.Signals) -> None:
    """Send this process a signal; Python handles it before it goes on here."""
    signal.raise_signal(number)


def test_every_state_has_an_answer_and_two_signals_leave_from_anywhere() -> None:
    """Nobody has to press three times, and once left nothing is cut short any more."""
    assert set(TABLE) == set(State)
    for state in State:
        assert TABLE[TABLE[state][0]][0] is State.LEFT
    assert TABLE[State.LEFT] == (State.LEFT, Action.DROP)


@pytest.mark.parametrize("number", SIGNALS)
def test_any_signal_interrupts_and_the_second_one_leaves(number: signal.Signals) -> None:
    """SIGTERM and SIGHUP are as good as Ctrl-C; a third one is not heard, nor does it end the process."""
    with Interrupts(NOTICE) as interrupts:
        with pytest.raises(KeyboardInterrupt):
            send(number)
        after_one = interrupts.twice
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        assert (after_one, interrupts.twice) == (False, True)
        send(number)


def test_the_first_signal_while_giving_back_only_tells_so(capfd: pytest.CaptureFixture[str]) -> None:
    """What gives back goes on; the second one leaves."""
    with Interrupts(NOTICE) as interrupts:
        interrupts.returning()
        send(signal.SIGINT)
        assert capfd.readouterr().err == f"{NOTICE}\n"
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGHUP)
        assert interrupts.twice


def test_a_run_that_was_interrupted_is_left_by_the_next_signal() -> None:
    """The one before the giving back counts."""
    with Interrupts(NOTICE) as interrupts:
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        interrupts.returning()
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        interrupts.returning()
        assert interrupts.twice


def test_handlers_are_put_back_and_what_the_starter_ignores_stays_ignored() -> None:
    """Nohup ignores SIGHUP, a shell's background SIGINT."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        with Interrupts(NOTICE):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not handlers[signal.SIGTERM]
        assert {number: signal.getsignal(number) for number in SIGNALS} == handlers
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_of_the_main_thread_no_handler_is_touched() -> None:
    """Only the main thread may, and pytest can be called from any."""
    heard: list[object] = []

    def enter() -> None:
        with Interrupts(NOTICE):
            heard.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert heard == [signal.getsignal(signal.SIGTERM)]


def test_an_interrupt_before_the_run_is_a_line_and_pytests_code(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to give back yet, and a traceback would tell nobody anything."""
    with pytest.raises(SystemExit) as ended, before_the_run():
        raise KeyboardInterrupt
    assert ended.value.code == pytest.ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "paddock: interrupted before anything was made\n"
