"""Which pods of a worker's place hold the hardware, and which workers have such places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paddock.declared_services import DeclaredService, Holding
from paddock.devices.resources import Wanted
from paddock.engines import equipment
from paddock.engines.request import RunRequest
from paddock.specs import Images, PythonEnvironment, RunPlan

HERE = Path("/srv/project")
CORAL = Wanted(kind="coral", count=2, resource="paddock.dev/simulated")
HAILO = Wanted(kind="hailo", count=1, resource="paddock.dev/simulated")
CACHE = DeclaredService(name="cache", port=6379, readiness={})
INFERENCE = replace(CACHE, name="inference", port=8080, hardware=Holding(kind="coral", resource=CORAL.resource))
NOT_ASKED_FOR = replace(CACHE, name="other", hardware=Holding(kind="gpu"))
PLAN = RunPlan(
    run_id="aa",
    workers=("gw0",),
    root=HERE,
    working_directory=HERE,
    images=Images(worker="w", broker="b", database="d"),
    python=PythonEnvironment(executable=HERE),
    hardware={CORAL.resource: 2},
    services=(CACHE, INFERENCE),
    hardware_workers=2,
)


def request(*wanted: Wanted, services: tuple[DeclaredService, ...] = ()) -> RunRequest:
    return RunRequest(run_id="aa", root=HERE, working_directory=HERE, hardware=wanted, services=services)


def test_kinds_of_one_resource_add_up() -> None:
    """Simulated devices stand in for all of them."""
    assert equipment.resources([CORAL, HAILO]) == {CORAL.resource: 3}


def test_the_workers_own_pod_holds_what_no_service_does() -> None:
    """With nothing left it asks for nothing; a service whose kind the run does not ask for is not made."""
    asked = request(CORAL, HAILO, services=(CACHE, INFERENCE, NOT_ASKED_FOR))
    assert equipment.of_pods(asked) == {
        "A worker": {CORAL.resource: 2},
        "The service 'inference' of a worker": {CORAL.resource: 1},
    }
    all_of_it = request(HAILO, services=(INFERENCE,))
    assert list(equipment.of_pods(all_of_it)) == ["The service 'inference' of a worker"]
    assert equipment.of_own_pod(all_of_it) == {}
    assert equipment.made(asked.services) == (CACHE, INFERENCE)


def test_a_worker_without_hardware_has_no_service_that_holds_some() -> None:
    """Neither its pods nor their addresses."""
    equipped = equipment.Equipped(PLAN)
    equipped.enter("gw0")
    assert (equipped.plan_of("gw0"), equipped.services_of("gw0")) == (PLAN, ["inference"])
    assert equipped.plan_of("gw1") == replace(PLAN, hardware={}, services=(CACHE,))
    assert equipped.services_of("gw1") == []
    assert equipped.facts_of("gw0").keys() - equipped.facts_of("gw1").keys() == {
        "PADDOCK_INFERENCE_HOST",
        "PADDOCK_INFERENCE_PORT",
    }


def test_who_replaces_a_lost_worker_with_hardware_has_some() -> None:
    """Who replaces one without has none."""
    equipped = equipment.Equipped(PLAN)
    for worker in ("gw0", "gw1", "gw2"):
        equipped.enter(worker)
    assert [worker in equipped for worker in ("gw0", "gw1", "gw2")] == [True, True, False]
    equipped.leave("gw2")
    equipped.enter("gw3")
    assert "gw3" not in equipped
    equipped.leave("gw0")
    equipped.enter("gw4")
    assert "gw4" in equipped
