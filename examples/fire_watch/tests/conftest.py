"""One broker and one database, which this suite believes to have for itself.

Where they are comes from the environment, or from paddock's fixtures when its worker runs us.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from fire_watch.actuators import Actuator
from fire_watch.cameras import Camera
from fire_watch.clock import Clock, ManualClock
from fire_watch.consensus import Rule
from fire_watch.events import EventStore
from fire_watch.link import forget_session
from fire_watch.messages import Action
from fire_watch.service import CLIENT_ID, FireWatch
from fire_watch.settings import DEFAULT_DATABASE, BrokerSettings, Settings
from fire_watch.trigger import Policy
from support import (
    POLICY,
    RULE,
    Listener,
    Reporter,
    StartActuator,
    StartCamera,
    StartListener,
    StartWatch,
    clear_retained,
)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> BrokerSettings:
    """Say where the broker is."""
    if "PADDOCK_WORKER" not in os.environ:
        return BrokerSettings.from_environment(os.environ)
    ours = request.getfixturevalue("mqtt_broker")
    return BrokerSettings(host=ours.host, port=ours.port, username=ours.username, password=ours.password)


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> str:
    """Say where the database is."""
    if "PADDOCK_WORKER" not in os.environ:
        return os.environ.get("DATABASE_URL", DEFAULT_DATABASE)
    return str(request.getfixturevalue("database_server").url)


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture
def clean_broker(broker: BrokerSettings) -> Iterator[BrokerSettings]:
    """Give the broker without retained messages, and leave it so."""
    clear_retained(broker)
    yield broker
    clear_retained(broker)


@pytest.fixture
def listen(clean_broker: BrokerSettings) -> Iterator[StartListener]:
    """Give a way to listen to topics until the test ends."""
    with ExitStack() as links:

        def start(pattern: str) -> Listener:
            listener = Listener(clean_broker, pattern)
            links.enter_context(listener.link)
            return listener

        yield start


@pytest.fixture
def start_camera(clean_broker: BrokerSettings, clock: ManualClock) -> Iterator[StartCamera]:
    """Give a way to start cameras that are disconnected when the test ends."""
    with ExitStack() as links:

        def start(name: str = "cam-1", *, clock: Clock = clock) -> Camera:
            camera = Camera(clean_broker, name, clock=clock)
            links.callback(camera.link.close)
            camera.start()
            return camera

        yield start


@pytest.fixture
def start_actuator(clean_broker: BrokerSettings) -> Iterator[StartActuator]:
    """Give a way to start actuators that are disconnected when the test ends."""
    with ExitStack() as links:

        def start(name: str = "sprinkler", *, able: Callable[[Action], bool] = lambda _action: True) -> Actuator:
            actuator = Actuator(clean_broker, name, able=able)
            links.callback(actuator.stop)
            actuator.start()
            return actuator

        yield start


@pytest.fixture
def store(database_url: str) -> Iterator[EventStore]:
    """Give the tables, empty, and leave them so."""
    with EventStore(database_url) as store:
        store.create()
        store.empty()
        yield store
        store.create()
        store.empty()


@pytest.fixture
def rows(database_url: str) -> Iterator[psycopg.Connection]:
    """Give a connection of the test's own, to look behind the store's back."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(broker: BrokerSettings, database_url: str) -> Settings:
    """Give settings of which a test changes only what matters to it."""
    return Settings(broker=broker, database_url=database_url, rule=RULE, policy=POLICY)


@pytest.fixture
def start_watch(
    start_actuator: StartActuator, store: EventStore, settings: Settings, clock: ManualClock
) -> Iterator[StartWatch]:
    """Give a way to start the watch; when the test ends it is stopped and its session on the broker dropped."""
    del start_actuator, store  # only to outlive the watch: it may still wait for an answer, and writes to the end
    forget_session(settings.broker, CLIENT_ID)
    with ExitStack() as running:
        running.callback(forget_session, settings.broker, CLIENT_ID)

        def start(*, clock: Clock = clock, rule: Rule = RULE, policy: Policy = POLICY) -> FireWatch:
            return running.enter_context(FireWatch(replace(settings, rule=rule, policy=policy), clock))

        yield start


@pytest.fixture
def cameras(start_camera: StartCamera, store: EventStore) -> Reporter:
    """Give cameras by name that report to a running watch."""
    return Reporter(start_camera, store)
