"""The rows of the requirements that tests see, R0 and R2, as a user's suite: the same files run in both engines.

The rows of databases stand in ``fixtures.database_suites``, those of other services in ``services.suite``. Which test
stands for which row, ``tests/unit/test_rows.py`` says.
"""

from __future__ import annotations

import re

from tests.contract.brokers.suite import HEARING

PROJECT = """\
[tool.paddock]
safe-executors = true
[tool.paddock.broker]
reset = "always"
[tool.paddock.env]
TEST_PER_WORKER_BROKERS = true
APP_BROKER_HOST = "{broker.host}"
APP_BROKER_PORT = "{broker.port}"
APP_BROKER_USERNAME = "{broker.user}"
APP_BROKER_PASSWORD = "{broker.password}"
"""
BROKERS = (
    HEARING
    + """
import os
import pytest
from paddock.fixtures.mqtt import NamespacedMQTTClient, TopicNamespace, create_namespaced_client

WORKER = os.environ["PADDOCK_WORKER"]
SHARED = os.environ["TEST_PER_WORKER_BROKERS"] == "false"


def test_r0_a_broker_for_each_worker_or_topics_of_its_own_on_one_for_all(mqtt_broker, mqtt_client):
    raw = own(mqtt_broker)
    heard = hear(raw, "#")
    mqtt_client.publish("camera/health", WORKER, qos=1)
    wait_until(lambda: WORKER in [text for _, text in heard])
    end(raw)
    prefix = f"test/{WORKER}/" if SHARED else ""
    assert [topic for topic, text in heard if text == WORKER] == [f"{prefix}camera/health"]


@pytest.fixture(params=[mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5"])
def start(request, mqtt_broker):
    started = []

    def begin(will=None):
        client = create_namespaced_client(mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=request.param), WORKER)
        if will:
            client.will_set(*will)
        client.username_pw_set(mqtt_broker.username, mqtt_broker.password)
        client.connect(mqtt_broker.host, mqtt_broker.port)
        client.loop_start()
        wait_until(client.is_connected)
        started.append(client)
        return client

    yield begin
    for client in started:
        end(client)


def test_r0_a_namespaced_client_never_shows_the_prefix(start, mqtt_broker):
    client, raw = start(), own(mqtt_broker)
    there, rest, of_topic = hear(raw, f"test/{WORKER}/#"), hear(client, "a/+/c"), []
    client.message_callback_add("b/#", lambda c, d, m: of_topic.append((m.topic, m.payload.decode())))
    client.subscribe("b/#", 1)
    for topic in ("a/1/c", "b/1"):
        client.publish(topic, "x", qos=1).wait_for_publish(10)
    wait_until(lambda: rest and of_topic and len(there) == 2)
    end(raw)
    assert (rest, of_topic) == ([("a/1/c", "x")], [("b/1", "x")])
    assert sorted(there) == [(f"test/{WORKER}/a/1/c", "x"), (f"test/{WORKER}/b/1", "x")]
    assert isinstance(client, NamespacedMQTTClient)
    assert TopicNamespace(WORKER).topic("camera/health") == f"test/{WORKER}/camera/health"


def test_r0_what_is_retained_and_wills_stay_in_the_namespace(start):
    start().publish("status/1", "on", qos=1, retain=True).wait_for_publish(10)
    heard = hear(start(), "status/+")
    wait_until(lambda: heard)
    start(will=("status/2", "gone", 1, False)).socket().shutdown(2)
    wait_until(lambda: len(heard) == 2)
    assert heard == [("status/1", "on"), ("status/2", "gone")]


def test_r0_shared_subscriptions_and_the_brokers_own_topics(start):
    members = [hear(start(), "$share/group/jobs/#") for _ in range(2)]
    version = hear(start(), "$SYS/broker/version")
    speaker = start()
    for number in range(6):
        speaker.publish(f"jobs/{number}", "x", qos=1).wait_for_publish(10)
    wait_until(lambda: len(members[0]) + len(members[1]) == 6 and version)
    assert sorted(topic for topic, _ in members[0] + members[1]) == [f"jobs/{number}" for number in range(6)]
    assert version[0][0] == "$SYS/broker/version"


def test_r0_parallel_test_context(parallel_test_context, namespaced_mqtt_client, mqtt_broker):
    context = parallel_test_context
    assert context.container_name("camera").endswith(f"-{WORKER}-camera")
    assert context.network_name().endswith(f"-{WORKER}-network")
    assert len(context.ports) == 100
    assert context.temp_dir.is_dir()
    told = context.get_service_env("camera")
    assert (told["MQTT_BROKER"], int(told["MQTT_PORT"])) == (mqtt_broker.host, mqtt_broker.port)
    assert (told["TOPIC_PREFIX"], told["WORKER_ID"]) == (f"test/{WORKER}", WORKER)
    heard = hear(namespaced_mqtt_client)
    service = own(mqtt_broker, client_id=told["MQTT_CLIENT_ID"])
    service.publish(f"{told['TOPIC_PREFIX']}/camera/health", "up", qos=1)
    wait_until(lambda: heard)
    end(service)
    assert heard == [("camera/health", "up")]


def test_r0_the_names_of_old(mqtt_broker, test_mqtt_broker, mqtt_test_environment):
    assert test_mqtt_broker is mqtt_broker
    assert mqtt_test_environment["MQTT_HOST"] == os.environ["MQTT_HOST"] == mqtt_broker.host
"""
)
FAST = (
    HEARING
    + """
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

WORKER = os.environ["PADDOCK_WORKER"]


def test_r2_connections_are_shared_and_counted(shared_mqtt_pool):
    one, other = shared_mqtt_pool.acquire("events"), shared_mqtt_pool.acquire("events")
    assert one is other
    shared_mqtt_pool.release(one)
    heard = hear(other)
    with shared_mqtt_pool.connection() as third:
        assert third is not other
        third.publish("a", "b", qos=1)
        wait_until(lambda: heard)
    shared_mqtt_pool.release(other)


def test_r2_many_threads_use_the_pool_at_once(shared_mqtt_pool):
    def use(number):
        with shared_mqtt_pool.connection() as client:
            return client.publish(f"a/{number}", "b", qos=1).wait_for_publish(30)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(40))) == [None] * 40


def test_r2_a_connection_that_breaks_off_is_healed(shared_mqtt_pool):
    with shared_mqtt_pool.connection() as client, shared_mqtt_pool.connection() as speaker:
        heard = hear(client)
        client.socket().shutdown(2)
        wait_until(lambda: not client.is_connected())
        wait_until(lambda: heard or not speaker.publish("again", "x", qos=1), 30, pause=0.1)
        assert set(heard) == {("again", "x")}
    with shared_mqtt_pool.connection() as client:
        assert everything(client) == []


@pytest.mark.parametrize("number", range(4))
def test_r2_everything_is_reset_between_tests(mqtt_client, number):
    assert mqtt_client.user_data_get() is None
    assert everything(mqtt_client) == []
    mqtt_client.user_data_set(number)
    mqtt_client.message_callback_add("#", print)
    mqtt_client.publish("kept", "x", qos=1, retain=True).wait_for_publish(10)


@pytest.mark.parametrize("number", range(3))
def test_r2_the_reset_is_a_drop_in_for_tests_that_know_variables_only(number):
    variables = ("host", "port", "username", "password")
    broker = SimpleNamespace(**{name: os.environ[f"APP_BROKER_{name.upper()}"] for name in variables})
    broker.port = int(broker.port)
    prefix = f"test/{WORKER}/" if os.environ["TEST_PER_WORKER_BROKERS"] == "false" else ""
    client = own(broker, client_id=f"{WORKER}-dropped-in")
    heard = hear(client, f"{prefix}status/#")
    client.publish(f"{prefix}status/mark", "", qos=1)
    wait_until(lambda: (f"{prefix}status/mark", "") in heard)
    found = list(heard)
    client.publish(f"{prefix}status/{number}", "on", qos=1, retain=True).wait_for_publish(10)
    end(client)
    assert found == [(f"{prefix}status/mark", "")]


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_r2_executors_of_the_code_under_test_are_safe(kind):
    with kind(1) as pool:
        pass
    assert pool.submit(print).cancelled()


def test_r2_safe_executor(safe_executor):
    assert safe_executor.submit(int, "42").result() == 42
    safe_executor.shutdown()
    assert safe_executor.submit(print).cancelled()
    assert len(safe_executor.late) == 1


def test_r2_a_periodic_task_is_run_one_step_at_a_time(run_once):
    beats = []

    def loop():
        while True:
            beats.append(len(beats))
            time.sleep(3600)

    task = run_once(loop)
    assert beats == []
    task.step(2)
    assert (beats, task.pauses) == ([0, 1], [3600, 3600])


def test_r2_waiting_is_by_condition_with_a_limit():
    answers = iter([0, 0, "there"])
    assert wait_until(lambda: next(answers)) == "there"
    with pytest.raises(AssertionError, match="the camera did not hold within 0.01 s: 0"):
        wait_until(lambda: 0, timeout=0.01, message="the camera")
"""
)
WAITS = f"""
import time

import pytest
{HEARING}
@pytest.mark.parametrize("number", range(24))
def test_r0_waits(mqtt_client, number):
    began = time.time()
    heard = hear(mqtt_client, "camera/health")
    mqtt_client.publish("camera/health", str(number), qos=1)
    wait_until(lambda: heard == [("camera/health", str(number))])
    time.sleep(1)
    print("waited", began, time.time())
"""
"""24 tests that wait for a second each, as tests of services with periods do."""


def overlap(output: str) -> float:
    """Return the time from the begin of the first test to the end of the last, as a share of the sum of all."""
    told = [(float(began), float(ended)) for began, ended in re.findall(r"^waited (\S+) (\S+)$", output, re.MULTILINE)]
    assert len(told) == 24, output
    whole = max(ended for _, ended in told) - min(began for began, _ in told)
    return whole / sum(ended - began for began, ended in told)


FILES = {"pyproject.toml": PROJECT, "test_brokers.py": BROKERS, "test_fast.py": FAST}
TESTS = 24
LATE = 3
"""Late submissions, each told in the list of warnings."""
DROPPED_IN = ("-n1", "-k", "drop_in or code_under_test")
ROLLED_BACK = {"TEST_PER_WORKER_BROKERS": "true", "PADDOCK_BROKER_RESET": "never", "PADDOCK_SAFE_EXECUTORS": "false"}
"""Without either drop-in only the first of three tests finds a clean broker, and no executor is safe."""
