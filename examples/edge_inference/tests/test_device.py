"""On a device of the worker's own pod."""

import pytest
from edge_inference.accelerator import DeviceError, SimulatedAccelerator, own_path
from edge_inference.model import LABELS, classify
from edge_inference.pictures import drawn

pytestmark = pytest.mark.hardware("coral")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("label", LABELS)
def test_the_device_comes_to_the_models_verdict(device: SimulatedAccelerator, label: str, seed: int) -> None:
    """It computes the same network."""
    picture = drawn(label, seed)
    assert device.infer(picture) == classify(picture)


def test_nobody_else_has_the_device(device: SimulatedAccelerator) -> None:
    """As long as it is open; afterwards it can be opened again."""
    with pytest.raises(DeviceError, match=device.path):
        SimulatedAccelerator(device.path)
    device.close()
    SimulatedAccelerator(device.path).close()


def test_a_closed_device_computes_nothing(device: SimulatedAccelerator) -> None:
    """And says so."""
    device.close()
    with pytest.raises(DeviceError, match="was closed"):
        device.infer(drawn("clear"))
    assert device.inferences == 0


def test_a_device_that_is_not_there_is_named() -> None:
    """With what the system says."""
    with pytest.raises(DeviceError, match="/dev/edge-none cannot be opened: No such file"):
        SimulatedAccelerator("/dev/edge-none")


def test_a_process_without_a_device_says_how_to_name_one() -> None:
    """One with a simulated device takes that."""
    with pytest.raises(DeviceError, match="was given no npu: say with --device"):
        own_path({})
    assert own_path({"PADDOCK_DEVICES_SIMULATED": '{"devices": [{"paths": ["/dev/loop0"]}]}'}) == "/dev/loop0"
