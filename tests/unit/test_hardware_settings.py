"""``[tool.paddock.devices]``, ``--paddock-hardware`` and ``--paddock-simulate-hardware`` together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.devices.resources import Wanted
from paddock.errors import UsageError
from paddock.settings.resolution import read_pyproject, resolve

if TYPE_CHECKING:
    from pathlib import Path

TABLE = {"devices": {"coral": {"paths": ["/dev/apex_*"]}, "gpu": {"resource": "nvidia.com/gpu"}}}


def wanted(flags: list[str], table: Any = None, **others: str) -> tuple[Wanted, ...]:
    return resolve({"hardware": flags, **others}, {}, TABLE if table is None else table).hardware


def complaint(flags: list[str], table: Any = None, **others: str) -> str:
    with pytest.raises(UsageError) as error:
        wanted(flags, table, **others)
    return str(error.value)


def test_kinds_become_resources_with_counts() -> None:
    """As the table says; none unless they are asked for."""
    assert wanted([]) == ()
    assert wanted(["coral", "gpu=2"]) == (
        Wanted(kind="coral", count=1, resource="paddock.dev/coral"),
        Wanted(kind="gpu", count=2, resource="nvidia.com/gpu"),
    )
    assert {(one.kind, one.count) for one in wanted(["all", "gpu=2"])} == {("coral", 1), ("gpu", 2)}


def test_simulated_devices_stand_in_for_whatever_is_asked_for() -> None:
    """Configured or not."""
    simulated = wanted(["coral", "hailo=2"], **{"simulate-hardware": "3"})
    assert [(one.kind, one.resource) for one in simulated] == [
        ("coral", "paddock.dev/simulated"),
        ("hailo", "paddock.dev/simulated"),
    ]


@pytest.mark.parametrize("text", ["a b", "coral=", "coral=0", "coral=x", "=1", "coral=1001"])
def test_what_is_no_hardware_is_refused(text: str) -> None:
    """By the option's own sentence."""
    assert complaint([text]).startswith(f"--paddock-hardware is {text!r}; expected a kind of hardware such as coral")


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "1.5"])
def test_what_is_no_number_of_devices_is_refused(text: str) -> None:
    """As above."""
    assert "expected a number of devices from 1 to 64" in complaint([], **{"simulate-hardware": text})


def test_hardware_that_nobody_knows_is_refused_with_both_ways_out() -> None:
    """To configure it, or to have it simulated."""
    for flags, table, name in ((["hailo"], TABLE, "hailo"), (["all"], {}, "KIND")):
        found = complaint(flags, table)
        assert (
            f"asks for the hardware {flags[0]!r}, which is not configured: add [tool.paddock.devices.{name}]" in found
        )
        assert "--paddock-simulate-hardware=N" in found


def test_more_than_is_simulated_is_refused() -> None:
    """No worker would ever come."""
    assert "asks for 3 devices in each worker, and --paddock-simulate-hardware makes 2" in complaint(
        ["coral", "hailo=2"], **{"simulate-hardware": "2"}
    )


def test_hardware_is_not_kept_between_runs() -> None:
    """Pods that wait for the next run would hold it."""
    assert "keeps pods between runs, and with them the hardware that --paddock-hardware" in complaint(
        ["coral"], TABLE | {"reuse": True}
    )


TPU = {"port": 1, "readiness": "tcp", "image": "r:7", "hardware": "coral=2"}
SERVING: dict[str, object] = {**TABLE, "services": {"tpu": TPU}}


def test_a_services_pod_asks_for_what_its_kind_is() -> None:
    """Of what each worker is given; in a run that gives none of the kind it asks for nothing."""
    settings = resolve({"hardware": ["coral=3"]}, {}, SERVING)
    assert settings.services[0].devices == {"paddock.dev/coral": 2}
    assert settings.fixture_choices().hardware_services == (("tpu", "coral", 1),)
    without = resolve({"hardware": ["gpu"]}, {}, SERVING)
    assert without.services[0].devices == {}
    assert without.fixture_choices().hardware_services == (("tpu", "coral", 0),)


def test_a_service_that_holds_more_than_workers_are_given_is_refused() -> None:
    """Its pod would hold what nobody has asked for."""
    said = complaint(["coral"], SERVING)
    assert said.startswith("--paddock-hardware gives each worker 1 of 'coral', and its services hold 2 of them ('tpu'")
    assert said.endswith("ask for coral=2.")


def test_a_mistake_in_the_table_is_told_with_its_line(tmp_path: Path) -> None:
    """As any other of the file."""
    (tmp_path / "pyproject.toml").write_text('[tool.paddock.devices.coral]\npaths = ["apex"]\n', encoding="utf-8")
    said = complaint(["coral"], read_pyproject(tmp_path))
    assert f"[tool.paddock.devices.coral.paths] of {tmp_path}/pyproject.toml:2 is ['apex']; expected" in said
