"""Through the service, whose pod holds the device: over HTTP and over MQTT."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from edge_inference.model import LABELS, classify
from edge_inference.pictures import drawn
from support import Camera, ask

pytestmark = pytest.mark.hardware("npu")


def test_the_service_calls_its_device_simulated(service: str) -> None:
    """Nobody is to take it for a real one."""
    status, facts = ask(f"{service}/device")
    assert (status, facts["simulated"]) == (200, True)
    assert facts["device"].startswith("/dev/")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("label", LABELS)
def test_a_picture_is_judged_over_http(service: str, label: str, seed: int) -> None:
    """As the model itself judges it."""
    picture = drawn(label, seed)
    assert ask(f"{service}/infer", picture.encode()) == (200, asdict(classify(picture)))


def test_many_may_ask_at_once(service: str) -> None:
    """One after the other gets the device, and all get their own verdict."""
    pictures = [drawn(label, seed) for label in LABELS for seed in range(8)]
    before = ask(f"{service}/device")[1]["inferences"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: ask(f"{service}/infer", one.encode()), pictures))
    assert answers == [(200, asdict(classify(one))) for one in pictures]
    assert ask(f"{service}/device")[1]["inferences"] == before + len(pictures)


@pytest.mark.parametrize(("path", "status"), [("infer", 400), ("nothing", 404), ("broker", 503)])
def test_a_bad_request_is_told_why(service: str, path: str, status: int) -> None:
    """And the next one is answered."""
    found, answer = ask(f"{service}/{path}", b"rubbish")
    assert found == status
    assert answer["error"]
    assert ask(f"{service}/ready") == (200, {"ready": True})


@pytest.mark.parametrize("label", LABELS)
def test_a_picture_is_judged_over_mqtt(camera: Camera, label: str) -> None:
    """As over HTTP."""
    camera.send("one", drawn(label))
    assert camera.verdicts(1) == {"one": asdict(classify(drawn(label)))}


def test_each_request_has_its_own_verdict(camera: Camera) -> None:
    """Rubbish among them as well, which is told what a picture is."""
    camera.send("rubbish", b"\x00")
    pictures = {f"{label}-{seed}": drawn(label, seed) for label in LABELS for seed in range(4)}
    for name, picture in pictures.items():
        camera.send(name, picture)
    verdicts = camera.verdicts(len(pictures) + 1)
    assert verdicts.pop("rubbish")["error"].startswith("a picture is JSON")
    assert verdicts == {name: asdict(classify(picture)) for name, picture in pictures.items()}
