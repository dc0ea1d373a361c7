"""The device of the worker's own pod, the service with another one, and the worker's broker, where Paddock runs us."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from edge_inference.accelerator import SimulatedAccelerator
from edge_inference.messages import BrokerSettings
from support import Camera, ask


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[SimulatedAccelerator]:
    """Give the device of the test's mark, open."""
    accelerator = request.getfixturevalue("accelerator")
    if not accelerator.paths:
        pytest.skip("this process holds no device: run with --paddock and --paddock-hardware")
    with SimulatedAccelerator(accelerator.paths[0]) as opened:
        yield opened


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    """Say where the service is that holds a device."""
    return str(request.getfixturevalue("accelerator_service").url)


@pytest.fixture
def camera(request: pytest.FixtureRequest, service: str) -> Camera:
    """Give a camera at the worker's broker, at which the service serves as well."""
    ours = request.getfixturevalue("mqtt_broker")
    broker = BrokerSettings(host=ours.host, port=ours.port, username=ours.username, password=ours.password)
    assert ask(f"{service}/broker", json.dumps(asdict(broker)).encode()) == (200, {"joined": True})
    return Camera(request.getfixturevalue("mqtt_client"))
