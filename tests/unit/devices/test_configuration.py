"""What may stand in the table of hardware, and the sentence about what may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.devices import configuration
from paddock.devices.resources import Command, Hardware, Mount
from paddock.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def parse(table: object) -> tuple[Hardware, ...]:
    return configuration.parse(table, lambda *keys: ".".join(("devices", *keys)))


def complaint(table: object) -> str:
    with pytest.raises(UsageError) as error:
        parse(table)
    return str(error.value)


def test_a_kind_is_a_resource_of_its_name() -> None:
    """Unless it says another; every key has a place in the value."""
    coral, vendor = parse(
        {
            "coral": {
                "paths": ["/dev/apex_*"],
                "usb": ["1A6E:089A", "18d1:9302"],
                "shares": 2,
                "shared-use": "together",
                "permissions": "rwm",
                "environment": {"CORAL": "yes"},
                "mounts": [{"host": "/opt/coral"}, {"host": "/a", "container": "/b", "read-only": False}],
                "health": ["/bin/check", "{path}"],
                "health-period": 3,
                "reset": ["/bin/reset"],
                "reset-timeout": 2.5,
            },
            "gpu": {"resource": "nvidia.com/gpu"},
        }
    )
    assert coral == Hardware(
        kind="coral",
        resource="paddock.dev/coral",
        paths=("/dev/apex_*",),
        usb=("1a6e:089a", "18d1:9302"),
        shares=2,
        in_turn=False,
        permissions="rwm",
        environment={"CORAL": "yes"},
        mounts=(Mount(host="/opt/coral", container="/opt/coral"), Mount(host="/a", container="/b", read_only=False)),
        health=Command(arguments=("/bin/check", "{path}"), timeout=5.0),
        health_period=3.0,
        reset=Command(arguments=("/bin/reset",), timeout=2.5),
    )
    assert coral.is_ours
    assert (vendor.resource, vendor.is_ours) == ("nvidia.com/gpu", False)


REFUSED: dict[str, list[Any]] = {
    "paths": [
        *([one] for one in ("apex", "/dev/*", "/dev/[a", "/dev/../etc/x", "/etc/x", "/dev/a**", "", "/dev/a\0", 1))
    ],
    "usb": [*([one] for one in ("1a6e", "1a6e:089", "1a6e-089a", "xxxx:0000")), "1a6e:089a", []],
    "shares": [0, 1001, True, "2", 1.0],
    "permissions": ["", "x", "rr", 7],
    "environment": [1, {"A-B": "x"}, {"A": 1}],
    "mounts": [1, *([one] for one in ({}, {"host": "a"}, {"host": "/a", "mode": 1}, {"host": "/../a"}))],
    "health": ["/bin/true", [], ["true"], [1]],
    "health-period": [0, -1, "1", True, 1e9, float("nan")],
    "reset-timeout": [26],  # kubelet waits for 30 s
    "resource": ["tpu", "a/b/c", "kubernetes.io/x", "my.kubernetes.io/x", "A.com/x", "a/", 1, f"{'a' * 245}/x"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_a_value_that_cannot_be_meant_is_named_with_what_is_expected(key: str, value: object) -> None:
    """And with where it stands."""
    beside = {"reset": ["/bin/true"], "health": ["/bin/true"], "paths": ["/dev/x0"]}
    assert complaint({"coral": {**beside, key: value}}).startswith(f"devices.coral.{key} is {value!r}; expected ")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([], "'devices' in devices is []; expected a table"),
        ({"a b": {}}, "'a b' in devices.a b cannot be a kind of hardware"),
        ({"coral": []}, "devices.coral is []; expected a table with the keys resource, paths, usb"),
        ({"coral": {"path": []}}, "devices.coral has the unknown key 'path'; known are resource, paths"),
        ({"coral": {}}, "devices.coral has neither paths nor usb, nor a resource"),
        ({"coral": {"resource": "a.b/c", "shares": 2}}, "devices.coral has 'shares' but neither paths nor usb"),
        (
            {"coral": {"paths": ["/dev/x0"], "health-timeout": 1}},
            "devices.coral.health-timeout belongs to 'health', which is not there.",
        ),
        (
            {"coral": {"paths": ["/dev/x0"], "shared-use": "together"}},
            "devices.coral.shared-use belongs to 'shares', which is not there.",
        ),
        (
            {"coral": {"paths": ["/dev/x0"], "shares": 2, "shared-use": ["at once"]}},
            "devices.coral.shared-use is ['at once']; expected in-turn or together.",
        ),
        (
            {"a": {"paths": ["/dev/apex_*"]}, "b": {"paths": ["/dev/apex_0"]}},
            "devices.b and devices.a overlap: both claim /dev/apex_0",
        ),
        (
            {"a": {"usb": ["18d1:9302"]}, "b": {"usb": ["1a6e:089a", "18d1:9302"]}},
            "devices.b and devices.a overlap: both claim 18d1:9302",
        ),
        (
            {"a": {"paths": ["/dev/x0"], "resource": "b.c/d"}, "b": {"paths": ["/dev/y0"], "resource": "b.c/d"}},
            "devices.b and devices.a are both the resource b.c/d",
        ),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_sentence(table: object, words: str) -> None:
    """The user is told what, and where."""
    found = complaint(table)
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("devices.yaml", "devices: {coral: {paths: [/dev/apex_*]}}"),
        ("pyproject.toml", '[tool.paddock.devices.coral]\npaths = ["/dev/apex_*"]'),
    ],
)
def test_a_file_is_yaml_or_a_pyproject(name: str, text: str, tmp_path: Path) -> None:
    """Both hold the same table."""
    path = tmp_path / name
    path.write_text(text)
    assert configuration.read_file(path) == parse({"coral": {"paths": ["/dev/apex_*"]}})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.yaml", b"devices: [", "cannot be read: while parsing"),
        ("a.yaml", b"\xff", "cannot be read: 'utf-8' codec"),
        ("a.yaml", b"other: 1", "has not the one key 'devices'"),
        ("a.yaml", b"devices:\n  coral: {paths: [x]}", "devices.coral.paths is ['x']; expected"),
        ("a.toml", b"= 1", "cannot be read: "),
        ("a.toml", b"[tool.other]", "has not the one key 'devices'"),
        ("a.toml", b"tool = 1", "has not the one key 'devices'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    """In one line."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        configuration.read_file(path)
    assert str(path) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        configuration.read_file(tmp_path / "absent.yaml")


def test_hardware_is_found_by_its_kind() -> None:
    """As tests call it."""
    kinds: Any = parse({"gpu": {"resource": "nvidia.com/gpu"}})
    assert configuration.of_kind(kinds, "gpu") is kinds[0]
    assert configuration.of_kind(kinds, "coral") is None
