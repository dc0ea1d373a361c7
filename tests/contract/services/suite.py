"""A project with services of its own, the same in both engines: Redis from Debian's package, declared in two ways."""

from __future__ import annotations

PROJECT = """
[tool.paddock.image]
packages = ["redis-server"]

[tool.paddock.services.cache]
port = 6379
command = ["redis-server", "--port", "{cache.port}", "--dir", "{cache.folder}", "--save", "", "--protected-mode", "no"]
readiness = {exec = {command = ["redis-cli", "-p", "{cache.port}", "ping"]}}
url = "redis://{cache.host}:{cache.port}/0"

[tool.paddock.services.queue]
port = 6380
objects = "k8s/queue.yaml"
local-command = ["redis-server", "--port", "{queue.port}", "--save", "", "--requirepass", "between-us"]
url = "redis://:between-us@{queue.host}:{queue.port}/0"

[tool.paddock.env]
CACHE_URL = "{cache.url}"
"""
OBJECTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: queue}
data:
  redis.conf: |
    port 6380
    save ""
    requirepass between-us
---
apiVersion: v1
kind: Pod
metadata: {name: queue}
spec:
  containers:
    - name: queue
      command: [redis-server, /etc/queue/redis.conf]
      readinessProbe: {tcpSocket: {port: 6380}, periodSeconds: 1}
      volumeMounts: [{name: settings, mountPath: /etc/queue}]
  volumes: [{name: settings, configMap: {name: queue}}]
"""
"""A container without an image has the project's environment."""
SUITE = """
import os
import socket
from urllib.parse import urlsplit

import pytest


def say(url, *commands):
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        with connection.makefile("rw", newline="\\r\\n") as words:
            if address.password:
                commands = (f"AUTH {address.password}", *commands)
            answers = []
            for command in commands:
                words.write(f"{command}\\r\\n")
                words.flush()
                answers.append(words.readline().strip())
    return answers


ran = []


@pytest.mark.parametrize("number", range(4))
def test_each_worker_has_a_cache_of_its_own(number, cache_service):
    ran.append(number)
    assert cache_service.url == os.environ["CACHE_URL"] == os.environ["PADDOCK_CACHE_URL"]
    assert urlsplit(cache_service.url)[1] == f"{cache_service.host}:{cache_service.port}"
    assert say(cache_service.url, "INCR tests") == [f":{len(ran)}"]


def test_a_service_of_the_projects_own_objects(queue_service, paddock_service):
    assert paddock_service("queue").url == queue_service.url
    assert say(queue_service.url, "PING") == ["+OK", "+PONG"]
    assert say(queue_service.url.replace(":between-us@", ""), "PING") == ["-NOAUTH Authentication required."]
"""
CONTAINERS = """
import os
import socket
import urllib.request

import pytest

SERVER = ["python", "-u", "-m", "http.server", "{web.port}", "--directory", "{web.folder}"]


def get(web, path):
    with urllib.request.urlopen(f"http://{web.host}:{web.port}/{path}", timeout=10) as answer:
        return answer.read().decode()


def assert_gone(web):
    with pytest.raises(OSError):  # nobody listens; in a cluster nobody has the address
        socket.create_connection((web.host, web.port), 1)


stopped = []


def test_r0_a_test_starts_a_service_of_its_own(service_container):
    write = "open(os.path.join(os.environ['FOLDER'], 'made.txt'), 'w').write('by exec')"
    web = service_container(
        "web", command=SERVER, port=8080, environment={"FOLDER": "{web.folder}", "LEVEL": "3"},
        readiness={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    )
    done = web.exec(["python", "-c", f"import os; {write}; print('level', os.environ['LEVEL']); raise SystemExit(4)"])
    assert (done.code, done.output.strip()) == (4, "level 3")
    assert get(web, "made.txt") == "by exec"
    assert "GET /made.txt" in web.logs()
    stopped.append(web)


def test_r0_it_is_gone_when_the_test_has_ended(docker_container_manager):
    (web,) = stopped
    assert_gone(web)
    again = docker_container_manager.start("web", command=SERVER, port=8080)
    assert get(again, "") != ""
    again.stop()
    assert_gone(again)
    with pytest.raises(Exception, match="'web' was stopped: start another one"):
        again.logs()


def test_r0_one_that_cannot_run_is_told_in_a_sentence(service_container):
    with pytest.raises(Exception, match="no-such-program") as raised:
        service_container("web", command=["no-such-program", "{web.port}"], port=8080)
    assert "\\n" not in str(raised.value)
"""
ISOLATION = """
import os
import socket

import pytest

LEFT = {}


def test_r3_ports_are_the_workers_own(worker_port_base, worker_port, flask_test_port, mock_http_port):
    number = int(worker.removeprefix("gw")) if (worker := os.environ["PADDOCK_WORKER"]) != "master" else -1
    assert worker_port_base == 5000 + 100 * number
    ports = [flask_test_port, mock_http_port, worker_port("third")]
    assert len(set(ports)) == 3
    assert all(port in range(worker_port_base, worker_port_base + 100) for port in ports)
    assert worker_port("flask") == flask_test_port
    for port in ports:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


@pytest.mark.parametrize("number", range(2))
def test_r3_folders_are_the_workers_and_the_tests_own(worker_temp_dir, temp_storage, number):
    assert LEFT.setdefault("worker", worker_temp_dir) == worker_temp_dir
    assert temp_storage.parent == worker_temp_dir
    assert list(temp_storage.iterdir()) == []
    (temp_storage / "made").touch()
    assert not LEFT.get("storage") or not LEFT["storage"].exists()
    LEFT["storage"] = temp_storage


class Config:
    value = 0

    def reset(self):
        self.value = 0


CONFIG, CLOSED, SEEN = Config(), [], set()


@pytest.fixture(scope="module")
def config(register_singleton):
    return register_singleton("config", CONFIG)


@pytest.mark.parametrize("number", range(2))
def test_r3_what_a_test_opens_replaces_and_changes_is_put_back(
    config, resource_tracker, mock_registry, sample_record, number
):
    assert config.value == 0
    config.value = 7
    assert CLOSED in ([], ["second", "first"])
    CLOSED.clear()
    for name in ("first", "second"):
        resource_tracker.track(object(), close=lambda name=name: CLOSED.append(name))
    assert os.path.basename("a/b") == "b"
    mock_registry.patch("os.path.basename").return_value = "patched"
    assert os.path.basename("a/b") == "patched"
    one, other = sample_record("user", age=3), sample_record("user")
    assert len(SEEN | {one["id"], other["id"]}) == len(SEEN) + 2
    SEEN.update((one["id"], other["id"]))
"""
FILES = {
    "pyproject.toml": PROJECT,
    "k8s/queue.yaml": OBJECTS,
    "test_services.py": SUITE,
    "test_containers.py": CONTAINERS,
    "test_isolation.py": ISOLATION,
}
TESTS = 13
