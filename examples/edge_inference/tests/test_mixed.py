"""On a device of the worker's own and on the service's at once: two devices, of which nobody else has either."""

from dataclasses import asdict

import pytest
from edge_inference.accelerator import DeviceError, SimulatedAccelerator
from edge_inference.model import LABELS
from edge_inference.pictures import drawn
from support import Camera, ask

pytestmark = [pytest.mark.hardware("npu"), pytest.mark.hardware("coral")]


def test_they_are_two_devices(device: SimulatedAccelerator, service: str) -> None:
    """The service's is not the worker's to open: it is not there, or in use."""
    theirs = str(ask(f"{service}/device")[1]["device"])
    assert theirs != device.path
    with pytest.raises(DeviceError, match=theirs):
        SimulatedAccelerator(theirs)


@pytest.mark.parametrize("label", LABELS)
def test_both_come_to_the_same_verdict(device: SimulatedAccelerator, service: str, label: str) -> None:
    """Whoever is asked."""
    picture = drawn(label, 7)
    assert ask(f"{service}/infer", picture.encode()) == (200, asdict(device.infer(picture)))


def test_the_device_checks_what_came_over_mqtt(device: SimulatedAccelerator, camera: Camera) -> None:
    """Picture by picture."""
    pictures = {label: drawn(label, 9) for label in LABELS}
    for name, picture in pictures.items():
        camera.send(name, picture)
    assert camera.verdicts(len(pictures)) == {name: asdict(device.infer(one)) for name, one in pictures.items()}
