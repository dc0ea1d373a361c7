"""The brokers that tests are made against are configured as those that users get."""

from __future__ import annotations

from pathlib import Path

from tests.plugins import mosquitto

ROOT = Path(__file__).resolve().parents[2]


def test_the_image_s_broker_is_configured_as_the_one_of_the_tests() -> None:
    """Among others its log comes as messages, without which kept sessions are not known."""
    ours = "\n".join(path.read_text() for path in (ROOT / "k8s/images/broker").iterdir()).splitlines()
    wanted = set(mosquitto.CONFIGURATION.split("\n")) - {"", "allow_anonymous true"}
    assert wanted - set(ours) == set()
