"""The suites of R0 and R2 that are the same everywhere: on a broker of the tests' own, locally, and in namespaces."""

from __future__ import annotations

HEARING = """
import threading
import paho.mqtt.client as mqtt
from paddock.fixtures.conditions import wait_until

def hear(client, pattern="#"):
    heard, agreed = [], threading.Event()
    client.on_message = lambda c, d, m: heard.append((m.topic, m.payload.decode()))
    client.on_subscribe = lambda *a: agreed.set()
    client.subscribe(pattern, 1)
    assert agreed.wait(10)
    return heard

def everything(client):
    heard = hear(client)
    client.publish("mark", "", qos=1)
    wait_until(lambda: ("mark", "") in heard)
    return heard[:-1]

def own(broker, **named):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **named)
    if getattr(broker, "username", ""):
        client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    wait_until(client.is_connected)
    return client

def end(client):
    client.disconnect()
    client.loop_stop()
"""
"""What such suites hear with; a module of its own, or the beginning of one."""

SAME_EVERYWHERE = (
    f"import pytest\n{HEARING}"
    """
@pytest.mark.parametrize("number", range(4))
def test_a_client_is_clean(mqtt_client, number):
    assert everything(mqtt_client) == []
    mqtt_client.publish("camera/status", number, qos=1, retain=True).wait_for_publish(5)

@pytest.mark.parametrize("number", range(4))
def test_what_code_under_test_left_is_gone(mqtt_broker, parallel_test_context, number):
    prefix = parallel_test_context.namespace.prefix
    service = own(mqtt_broker, client_id=parallel_test_context.get_service_env("camera")["MQTT_CLIENT_ID"],
                  clean_session=False)
    heard = hear(service, f"{prefix}#")
    service.publish(f"{prefix}mark", "", qos=1)
    wait_until(lambda: (f"{prefix}mark", "") in heard)
    assert heard == [(f"{prefix}mark", "")]
    service.publish(f"{prefix}status", "on", qos=1, retain=True).wait_for_publish(5)
    service.disconnect()
    service.loop_stop()

@pytest.mark.parametrize("number", range(4))
def test_a_will_and_a_kept_session(mqtt_client, mqtt_client_factory, number):
    heard = hear(mqtt_client)
    dying = mqtt_client_factory("camera", will=("camera/status", "gone", 1, True))
    dying.socket().shutdown(2)
    wait_until(lambda: ("camera/status", "gone") in heard)
    keeping = mqtt_client_factory("keeper", clean_session=False)
    assert everything(keeping) == [("camera/status", "gone")]
"""
)

TOGETHER = (
    f"import os{HEARING}"
    """
WORKERS = int(os.environ.get("WORKERS", 0))

class Broker:
    host, port = os.environ.get("PADDOCK_BROKER_HOST"), int(os.environ.get("PADDOCK_BROKER_PORT", 0))
    username, password = os.environ.get("PADDOCK_BROKER_USERNAME"), os.environ.get("PADDOCK_BROKER_PASSWORD")

def connected():
    try:
        return own(Broker)
    except OSError:
        return None

def pytest_collection_finish():
    if "PADDOCK_WORKER" not in os.environ:
        return
    client = wait_until(connected, 300)
    here = hear(client, "start/+")
    client.publish(f"start/{os.environ['PADDOCK_WORKER']}", "here", qos=1, retain=True)
    wait_until(lambda: len({topic for topic, _ in here}) == WORKERS, 300)
    end(client)
"""
)
"""A conftest for workers with one broker: none of them has collected before all are there, so all begin at once."""

HEALTH = """
import json
import os
import time
from collections import Counter

import pytest
from paddock.fixtures.conditions import wait_until

WORKER, MESSAGES, TESTS = os.environ.get("PADDOCK_WORKER"), 1000, 3 * int(os.environ["WORKERS"])

@pytest.mark.parametrize("number", range(TESTS))
def test_health(mqtt_client_factory, number):
    listening, speaking, heard, agreed = mqtt_client_factory(), mqtt_client_factory(), Counter(), []
    listening.on_message = lambda client, data, message: heard.update([message.payload.decode()])
    listening.on_subscribe = lambda *_: agreed.append(True)
    listening.subscribe("#", qos=1)
    wait_until(lambda: agreed, 60)
    said = [f"{WORKER} {number} {one}" for one in range(MESSAGES)]
    began = time.time()
    for text in said:
        last = speaking.publish("camera/health", text, qos=1)
    last.wait_for_publish(120)
    wait_until(lambda: heard[said[-1]], 120)
    print("health", json.dumps([WORKER, began, time.time()]))
    assert heard == Counter(said)
"""
"""R0: of a thousand messages of this worker's own none is lost and none comes twice, and nothing of anybody else."""

GUARDED = {
    "pyproject.toml": '[tool.paddock.broker]\ntls = true\naccounts = "accounts.txt"\nacl = "rights.acl"\n',
    "accounts.txt": "# name:password\ncamera:c-secret\n",
    "rights.acl": "user camera\ntopic readwrite camera/#\ntopic readwrite test/+/camera/#\n",
    "test_guarded.py": f"import pathlib, ssl\nimport pytest\n{HEARING}"
    """
def answer(broker, password, ca_file):
    answers = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set("camera", password)
    client.tls_set_context(ssl.create_default_context(cafile=ca_file))
    client.on_connect = lambda c, d, f, reason, p: answers.append(str(reason))
    client.connect(broker.host, broker.port)
    while not answers:
        client.loop(0.1)
    client.disconnect()
    return answers[0]

def test_an_account_has_its_rights_and_no_others(mqtt_client, mqtt_client_factory):
    heard = hear(mqtt_client)
    camera = mqtt_client_factory(account="camera")
    for topic in ("secret/1", "camera/1"):
        camera.publish(topic, "x", qos=1).wait_for_publish(10)
    wait_until(lambda: ("camera/1", "x") in heard)
    assert heard == [("camera/1", "x")]

def test_what_a_test_before_has_retained_is_gone(mqtt_client_factory):
    camera = mqtt_client_factory(account="camera")
    assert hear(camera, "camera/#") == []
    camera.publish("camera/mark", "x", qos=1).wait_for_publish(10)

def test_code_under_test_enters_by_account_and_authority_only(mqtt_broker):
    assert (mqtt_broker.tls, mqtt_broker.accounts) == (True, {"camera": "c-secret"})
    assert answer(mqtt_broker, "c-secret", mqtt_broker.ca_file) == "Success"
    assert answer(mqtt_broker, "another", mqtt_broker.ca_file) == "Not authorized"
    with pytest.raises(ssl.SSLCertVerificationError):
        answer(mqtt_broker, "c-secret", None)

def test_services_are_told(parallel_test_context):
    told = parallel_test_context.get_service_env("camera")
    assert told["MQTT_TLS"] == "true"
    assert "BEGIN CERTIFICATE" in pathlib.Path(told["MQTT_CA_FILE"]).read_text()

def test_an_account_that_is_not_there(mqtt_client_factory):
    with pytest.raises(Exception, match="no account 'cat'; .* names: camera"):
        mqtt_client_factory(account="cat")
""",
}
"""A project whose brokers speak TLS, with an account of its own that may use some topics; five tests pass."""
