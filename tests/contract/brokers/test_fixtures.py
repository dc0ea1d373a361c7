"""R0 and R2: what tests get, as a user's suite sees it, on a broker of the worker's own and on a shared one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.contract.brokers.conversation import Ear, connect, leave, make, say, subscribe
from tests.contract.brokers.suite import HEARING, SAME_EVERYWHERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.brokers.conftest import Suite
    from tests.plugins.mosquitto import Mosquitto


def test_a_client_is_connected_and_clean_for_each_test(in_both: Suite) -> None:
    """R2: subscriptions, callbacks and retained messages of one test are not there in the next, the connection is."""
    result = in_both(
        """
        import pytest
        from hearing import everything
        connections = set()

        @pytest.mark.parametrize("number", range(20))
        def test_clean(mqtt_client, number):
            assert mqtt_client.is_connected()
            assert mqtt_client.user_data_get() is None
            assert everything(mqtt_client) == []
            mqtt_client.user_data_set(number)
            mqtt_client.message_callback_add("#", print)
            mqtt_client.publish("kept", "x", qos=1, retain=True)
            connections.add(mqtt_client.socket().getsockname())
            assert len(connections) == 1
        """,
        hearing=HEARING,
    )
    assert (result.code, result.counts) == (0, {"passed": 20}), result


def test_a_factory_makes_further_clients_that_end_with_the_test(in_both: Suite) -> None:
    """With ids, versions, wills and kept sessions of their own; none of it is there in the next test."""
    result = in_both(
        """
        import pytest
        import paho.mqtt.client as mqtt
        from hearing import everything, hear
        from paddock.fixtures.conditions import wait_until

        @pytest.mark.parametrize("number", range(3))
        def test_factory(mqtt_client_factory, number):
            watching = mqtt_client_factory(protocol=mqtt.MQTTv5)
            assert everything(watching) == []
            heard = hear(watching)
            dying = mqtt_client_factory("camera", will=("camera/status", "gone", 1, True))
            dying.socket().shutdown(2)
            wait_until(lambda: ("camera/status", "gone") in heard)

        @pytest.mark.parametrize("number", range(3))
        def test_kept(mqtt_client_factory, number):
            present = []
            keeping = mqtt_client_factory("keeper", clean_session=False)
            heard = hear(keeping, "job")
            mqtt_client_factory().publish("job", "x", qos=1).wait_for_publish(5)
            wait_until(lambda: heard)
            assert heard == [("job", "x")]
        """,
        hearing=HEARING,
    )
    assert (result.code, result.counts) == (0, {"passed": 6}), result


def test_what_the_code_under_test_leaves_is_cleared(suite: Suite) -> None:
    """R2: retained messages and kept sessions of its own clients, in tests that know but the broker's address."""
    result = suite(
        """
        import pytest
        from hearing import everything, end, own

        @pytest.mark.parametrize("number", range(5))
        def test_leaves(mqtt_broker, number):
            present = []
            service = own(mqtt_broker, client_id="service", clean_session=False)
            assert everything(service) == []
            service.publish("status", "on", qos=1, retain=True).wait_for_publish(5)
            end(service)
            other = own(mqtt_broker)
            other.publish("for/later", "x", qos=1).wait_for_publish(5)
            end(other)
        """,
        hearing=HEARING,
    )
    assert (result.code, result.counts) == (0, {"passed": 5}), result


LEAVING = """
    import pytest
    from hearing import everything, end, own
    from types import SimpleNamespace
    import os
    broker = SimpleNamespace(host=os.environ["PADDOCK_BROKER_HOST"], port=int(os.environ["PADDOCK_BROKER_PORT"]))

    @pytest.mark.parametrize("number", range(3))
    def test_leaves(number):
        client = own(broker)
        found = everything(client)
        client.publish("status", number, qos=1, retain=True).wait_for_publish(5)
        end(client)
        assert found == []
"""


def test_cleaning_is_a_drop_in_and_rolled_back_by_one_setting(suite: Suite) -> None:
    """R2: `always` cleans behind tests that know no fixture of ours; `never` leaves everything as it was before."""
    environment = {"PADDOCK_BROKER_RESET": "always"}
    assert suite(LEAVING, environment=environment, hearing=HEARING).counts == {"passed": 3}
    fixture = "\n    @pytest.fixture(autouse=True)\n    def _broker(mqtt_broker): pass\n"
    assert suite(LEAVING + fixture, hearing=HEARING).counts == {"passed": 3}
    environment = {"PADDOCK_BROKER_RESET": "never"}
    assert suite(LEAVING + fixture, environment=environment, hearing=HEARING).counts == {"passed": 1, "failed": 2}


def test_the_old_names_are_there(suite: Suite) -> None:
    """R0: `test_mqtt_broker` and `mqtt_test_environment`, as a fixture and as the helper of old."""
    result = suite(
        """
        import os
        from paddock.fixtures.context import mqtt_test_environment as helper

        def test_names(mqtt_broker, test_mqtt_broker, mqtt_test_environment, monkeypatch):
            assert test_mqtt_broker is mqtt_broker
            assert os.environ["MQTT_BROKER"] == mqtt_broker.host
            assert mqtt_test_environment["MQTT_PORT"] == os.environ["MQTT_PORT"] == str(mqtt_broker.port)

        def test_helper(test_mqtt_broker, monkeypatch):
            with helper(test_mqtt_broker, monkeypatch):
                assert os.environ["MQTT_PORT"] == str(test_mqtt_broker.port)
            assert "MQTT_PORT" not in os.environ
        """
    )
    assert (result.code, result.counts) == (0, {"passed": 2}), result


def test_a_context_tells_a_worker_s_services_from_another_s(in_both: Suite) -> None:
    """R0: names, environment of a service under test, namespaced client, folder, ports; the same in both modes."""
    result = in_both(
        """
        import threading
        import paho.mqtt.client as mqtt
        from hearing import hear, own, end
        from paddock.fixtures.conditions import wait_until

        def test_context(parallel_test_context, namespaced_mqtt_client, mqtt_broker):
            context = parallel_test_context
            assert context.container_name("camera") == "project-gw0-camera"
            assert context.network_name() == "project-gw0-network"
            assert list(context.ports) == list(range(20000, 20100))
            assert context.temp_dir.is_dir()
            environment = context.get_service_env("camera")
            assert environment["MQTT_BROKER"] == mqtt_broker.host
            assert environment["MQTT_PORT"] == str(mqtt_broker.port)
            assert environment["TOPIC_PREFIX"] == "test/gw0"
            assert environment["WORKER_ID"] == "gw0"
            heard = hear(namespaced_mqtt_client)
            service = own(mqtt_broker, client_id=environment["MQTT_CLIENT_ID"])
            service.publish(f"{environment['TOPIC_PREFIX']}/camera/health", "up", qos=1)
            wait_until(lambda: heard)
            end(service)
            wrapped = context.wrap_client(own(mqtt_broker))
            wrapped.publish("camera/other", "up", qos=1)
            wait_until(lambda: len(heard) == 2)
            end(wrapped)
            assert heard == [("camera/health", "up"), ("camera/other", "up")]
            assert context.strip_topic(context.translate_topic("a/b")) == "a/b"
        """,
        hearing=HEARING,
    )
    assert (result.code, result.counts) == (0, {"passed": 1}), result


def test_the_worker_of_a_run_without_xdist_is_master(suite: Suite) -> None:
    """R0: without xdist it works the same."""
    result = suite(
        """
        def test_master(parallel_test_context):
            assert parallel_test_context.container_name("Camera 1") == "project-master-camera-1"
            assert parallel_test_context.ports[0] == 19900, "not those of gw0"
        """,
        environment={"PADDOCK_WORKER": ""},
    )
    assert (result.code, result.counts) == (0, {"passed": 1}), result


def test_a_broker_killed_in_a_test_fails_those_that_need_it(suite: Suite, mosquitto: Mosquitto) -> None:
    """One sentence each, waited for once; tests that do not need it run; when it is back, so do the others."""
    result = suite(
        f"""
        import os, signal, subprocess, time
        from hearing import hear

        def test_kills(mqtt_client):
            os.kill({mosquitto.process_id}, signal.{signal.SIGKILL.name})

        def test_needs_it(mqtt_client): pass
        def test_needs_it_too(mqtt_broker): pass
        def test_does_not(): pass

        def test_brings_it_back():
            subprocess.Popen({mosquitto.command!r}, stderr=subprocess.DEVNULL, start_new_session=True)
            end = time.monotonic() + 10
            import socket
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", {mosquitto.facts.port})).close()
                    break
                except OSError:
                    pass

        def test_works_again(mqtt_client):
            heard = hear(mqtt_client)
            mqtt_client.publish("a", "b", qos=1).wait_for_publish(5)
            assert mqtt_client.is_connected()
        """,
        hearing=HEARING,
    )
    mosquitto.adopt()
    assert result.counts == {"passed": 4, "error": 2}, result
    assert result.out.count("could not be cleaned after a test") >= 2
    assert "Traceback" not in result.out


def test_without_a_broker_the_fixture_says_where_it_works(suite: Suite) -> None:
    """One sentence, and no waiting."""
    result = suite("def test_it(mqtt_client): pass", environment={"PADDOCK_BROKER_HOST": "", "PADDOCK_BROKER_PORT": ""})
    assert "This process was given no service 'broker'" in result.out


@pytest.mark.parametrize("missing", ["paho", "paho.mqtt.enums"])
def test_without_paho_everything_else_works(suite: Suite, missing: str) -> None:
    """A suite that uses no broker needs no client for one; who uses it is told what to install."""
    result = suite(
        "def test_other(): pass\ndef test_broker(mqtt_client): pass",
        conftest=f"""
        import sys
        sys.modules[{missing!r}] = None
        """,
    )
    assert result.counts == {"passed": 1, "error": 1}, result
    assert "need paho-mqtt 2.0 or newer" in result.out
    assert "pip install 'paho-mqtt>=2.0'" in result.out


@pytest.mark.parametrize("place", ["variable", "pyproject.toml"])
def test_a_shared_broker_is_cleaned_of_this_worker_s_messages_only(
    suite: Suite, mosquitto: Mosquitto, tmp_path: Path, place: str
) -> None:
    """R0: what another worker has retained stays; wherever the project says that brokers are shared."""
    if place == "pyproject.toml":
        (tmp_path / "project" / place).write_text("[tool.paddock.broker]\nper-worker = false\n", encoding="utf-8")
    other, ear = connect(make(), mosquitto.facts), Ear()
    say(other, "test/gw1/status", retain=True)
    result = suite(
        "def test_it(mqtt_client): mqtt_client.publish('status', 'x', qos=1, retain=True).wait_for_publish(5)\n"
        "def test_other(): pass",
        environment={"USE_PER_WORKER_BROKERS": "false"} if place == "variable" else {},
    )
    assert result.counts == {"passed": 2}, result
    other.on_message = ear
    subscribe(other, "#", 1)
    say(other, "mark")
    ear.await_messages(2)
    assert sorted(topic for topic, _ in ear.heard) == ["mark", "test/gw1/status"]
    leave(other)


def test_everything_ends_with_the_session(suite: Suite) -> None:
    """R0 and R2: connections and threads, also after a failure and with a pool that nobody gave back to."""
    result = suite(
        """
        import threading

        def test_fails(shared_mqtt_pool):
            shared_mqtt_pool.acquire("mine")
            assert False
        """,
        conftest="""
        import threading

        def pytest_unconfigure(config):
            names = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
            print(f"threads at the end: {names}")
        """,
    )
    assert result.counts == {"failed": 1}, result
    assert "threads at the end: []" in result.out, result


def test_the_suite_that_is_the_same_everywhere(in_both: Suite) -> None:
    """Also run in the engines: here on a broker that only the worker's variables name."""
    result = in_both(SAME_EVERYWHERE)
    assert (result.code, result.counts) == (0, {"passed": 12}), result
