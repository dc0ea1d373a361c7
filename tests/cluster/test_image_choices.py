"""Images as a project chooses them: more Debian packages, and settings of its own for broker and database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from paddock import images, node, specs
from paddock.errors import UsageError
from tests.plugins.images import answered, asked, linked_cache, started, unpacked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="base images are installed as root"),
]

PASSWORD = "secret of a test"  # noqa: S105 - of services that end with it
START = "exec /opt/paddock/bin/start"
KINDS = ("base-", "broker", "database", "interpreter-", "packages-", "changes-")
"""Layers that need not be made for this, where they are there."""


@pytest.fixture(scope="module")
def cache(scratch: Path) -> Path:
    """A cache that has everything but what is chosen here."""
    return linked_cache(scratch / "chosen", KINDS)


def ensure(registry: str, cache: Path, choices: specs.ImageChoices, said: list[str] | None = None) -> specs.Images:
    report = (said if said is not None else []).append
    made, _ = images.ensure(
        registry, crane=lambda: node.tool("crane"), inpod={}, uid=1000, report=report, cache=cache, choices=choices
    )
    return made


def test_debian_packages_are_in_the_worker_image(registry: str, cache: Path, scratch: Path) -> None:
    """With what they need; nothing but their own layer is made for them, and once."""
    plain = ensure(registry, cache, specs.ImageChoices())
    said: list[str] = []
    choices = specs.ImageChoices(packages=("git", "liblapack3"))
    chosen = ensure(registry, cache, choices, said)
    assert (chosen.broker, chosen.database) == (plain.broker, plain.database)
    assert [line for line in said if "layer" in line and line.endswith("…")] == ["images: making the system layer …"]
    root = unpacked(chosen.worker, scratch / "packages")
    assert answered(root, 1000, "git", "--version").startswith("git version")
    # a link that only its installation script makes
    assert answered(root, 1000, "sh", "-c", "cat /usr/lib/*/liblapack.so.3 | head -c 4") == "\x7fELF"
    said.clear()
    assert ensure(registry, cache, specs.ImageChoices(packages=("liblapack3", "git", "git")), said) == chosen
    assert said == []


def test_a_package_that_does_not_exist_is_a_usage_error(registry: str, cache: Path) -> None:
    """It is told before anything is installed."""
    with pytest.raises(UsageError, match=r"'no-such-package' in 'image.packages' is no package of"):
        ensure(registry, cache, specs.ImageChoices(packages=("no-such-package",)))


def test_a_postgresql_that_the_release_does_not_have_is_a_usage_error(registry: str, cache: Path) -> None:
    """The sentence says which ones there are."""
    with pytest.raises(UsageError, match=r"'postgresql-77', which .* does not have. It has PostgreSQL \d\d"):
        ensure(registry, cache, specs.ImageChoices(database_version="77"))


ANONYMOUS = """
    import json, socket, time
    import paho.mqtt.client as mqtt

    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", 1883), 1).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
    found = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, data, flags, reason, properties: found.append(str(reason))
    client.connect("127.0.0.1", 1883)
    while not found:
        client.loop(0.1)
    client.disconnect()
    print(json.dumps(found))
"""


def test_a_mosquitto_conf_of_the_users_is_added(registry: str, cache: Path, scratch: Path, tmp_path: Path) -> None:
    """Of two values for one setting its own holds."""
    (tmp_path / "own.conf").write_text("allow_anonymous true\n")
    chosen = ensure(registry, cache, specs.ImageChoices(broker_configuration=tmp_path / "own.conf"))
    root = unpacked(chosen.broker, scratch / "own-broker")
    with started(root, 1000, START, USERNAME="tester", PASSWORD=PASSWORD) as pid:
        assert asked(pid, ANONYMOUS) == ["Success"]


SETTINGS = f"""
    import json, time
    import psycopg

    end = time.monotonic() + 20
    while True:
        try:
            connection = psycopg.connect(host="127.0.0.1", user="postgres", password={PASSWORD!r}, connect_timeout=2)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.01)
    names = ("max_connections", "fsync")
    with connection:
        print(json.dumps([connection.execute(f"SHOW {{name}}").fetchone()[0] for name in names]))
    connection.close()
"""


def test_postgresql_settings_of_the_users_win(registry: str, cache: Path, scratch: Path, tmp_path: Path) -> None:
    """All that they do not name stay as they are."""
    (tmp_path / "postgresql.conf").write_text("max_connections = 7\n")
    chosen = ensure(registry, cache, specs.ImageChoices(database_configuration=tmp_path / "postgresql.conf"))
    root = unpacked(chosen.database, scratch / "own-database")
    with started(root, 1000, START, PASSWORD=PASSWORD) as pid:
        assert asked(pid, SETTINGS) == ["7", "off"]
