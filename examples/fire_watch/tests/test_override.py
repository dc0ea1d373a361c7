"""Manual override: a person's word stands above the consensus, at once and until it is taken back."""

import pytest
from fire_watch import topics
from fire_watch.events import EventStore
from fire_watch.link import Link
from fire_watch.messages import Action, Mode, Override, encode
from fire_watch.settings import BrokerSettings
from fire_watch.waiting import wait_until
from support import Reporter, StartActuator, StartListener, StartWatch

pytestmark = pytest.mark.xdist_group("override")
THREE = ("cam-1", "cam-2", "cam-3")


def order(broker: BrokerSettings, mode: Mode, *, retain: bool = False) -> None:
    """Speak as the desk."""
    with Link(broker) as link:
        link.publish(topics.OVERRIDE, encode(Override(mode=mode, by="desk")), retain=retain)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_in_force_is_shown(
    start_watch: StartWatch,
    start_actuator: StartActuator,
    clean_broker: BrokerSettings,
    listen: StartListener,
    mode: Mode,
) -> None:
    """Whoever comes later sees who is in charge."""
    watch = start_watch()
    start_actuator("sprinkler")
    shown = listen(topics.TRIGGER_STATE)
    order(clean_broker, mode)
    shown.wait_for(2)
    assert (watch.mode, shown.payloads()[-1]) == (mode, mode.encode())


def test_a_held_trigger_stays_dry(
    start_watch: StartWatch,
    start_actuator: StartActuator,
    clean_broker: BrokerSettings,
    cameras: Reporter,
    store: EventStore,
) -> None:
    """The fire is decided and recorded; the valve stays shut."""
    start_watch()
    sprinkler = start_actuator("sprinkler")
    order(clean_broker, Mode.HELD)
    cameras.report(*THREE)
    assert store.decisions() == 1
    assert [command.action for command in sprinkler.done] == [Action.CLOSE]


def test_forcing_needs_no_fire(
    start_watch: StartWatch,
    start_actuator: StartActuator,
    clean_broker: BrokerSettings,
    cameras: Reporter,
    store: EventStore,
) -> None:
    """A person may open the valve, and the record names no decision."""
    start_watch()
    sprinkler = start_actuator("sprinkler")
    order(clean_broker, Mode.FORCED)
    cameras.settle()
    assert [command.action for command in sprinkler.done] == [Action.OPEN]
    assert [(alarm.decision, alarm.state) for alarm in store.alarms()] == [(None, "done")]


def test_holding_shuts_what_was_open(
    start_watch: StartWatch,
    start_actuator: StartActuator,
    clean_broker: BrokerSettings,
    cameras: Reporter,
    listen: StartListener,
) -> None:
    """A false alarm is ended by hand."""
    start_watch()
    start_actuator("sprinkler")
    cameras.report(*THREE)
    position = listen(topics.actuator_status("sprinkler"))
    position.wait_for_last(b"open")
    order(clean_broker, Mode.HELD)
    position.wait_for_last(b"closed")


def test_handing_back_lets_the_consensus_act(
    start_watch: StartWatch, start_actuator: StartActuator, clean_broker: BrokerSettings, cameras: Reporter
) -> None:
    """After the hold the next fire opens the valve."""
    start_watch()
    sprinkler = start_actuator("sprinkler")
    for mode in (Mode.HELD, Mode.AUTOMATIC):
        order(clean_broker, mode)
    cameras.report(*THREE)
    assert [command.action for command in sprinkler.done] == [Action.CLOSE, Action.OPEN]


def test_an_order_given_beforehand_is_obeyed_at_the_start(
    start_watch: StartWatch, start_actuator: StartActuator, clean_broker: BrokerSettings
) -> None:
    """A retained order outlives the watch's restart."""
    sprinkler = start_actuator("sprinkler")
    order(clean_broker, Mode.HELD, retain=True)
    watch = start_watch()
    wait_until(lambda: bool(sprinkler.done), what="the closing of the valve")
    assert watch.mode is Mode.HELD
