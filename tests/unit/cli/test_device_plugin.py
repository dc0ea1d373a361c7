"""``paddock device-plugin`` as a person types it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from paddock.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def configured(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "devices.yaml").write_text(text)
    return ["device-plugin", f"--config={tmp_path}/devices.yaml"]


def test_devices_are_listed_with_their_health(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And where none were found, what was looked for; a claim of two kinds is told."""
    text = """
devices:
  void: {paths: ["/dev/nul?"]}
  also: {paths: ["/dev/n[u]ll"], health: [/bin/false]}
  coral: {paths: ["/dev/absent_*"], usb: ["1a6e:089a"]}
  gpu: {resource: nvidia.com/gpu}
"""
    assert main.main([*configured(tmp_path, text), "--list"]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["RESOURCE", "DEVICE", "NODES", "SERIAL", "HEALTH"],
        ["paddock.dev/void", "null", "/dev/null", "-", "healthy"],
        ["paddock.dev/also", "-", "/dev/n[u]ll", "-", "none", "is", "there"],
        ["paddock.dev/coral", "-", "/dev/absent_*,", "1a6e:089a", "-", "none", "is", "there"],
    ]
    assert "paddock.dev/also: /dev/null is handed out as paddock.dev/void already" in err


def test_a_configuration_without_devices_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others' resources are handed out by others."""
    assert main.main(configured(tmp_path, "devices: {gpu: {resource: nvidia.com/gpu}}")) == 4
    assert "names no devices; expected paths or usb of a kind." in capsys.readouterr().err


def test_an_absent_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that installs it; a list does without."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    for name in ("serving", "daemon"):
        monkeypatch.delitem(sys.modules, f"paddock.devices.{name}", raising=False)
    command = configured(tmp_path, "devices: {void: {paths: [/dev/null]}}")
    assert main.main(command) == 4
    assert "needs grpc, which is not installed." in (said := capsys.readouterr().err)
    assert "pip install 'paddock[device-plugin]'" in said
    assert main.main([*command, "--list"]) == 0


@pytest.mark.parametrize("shares", ["0", "1001", "many"])
def test_shares_that_cannot_be_meant_are_refused(shares: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what can be."""
    with pytest.raises(SystemExit, match="4"):
        main.main(["device-plugin", "--simulate=1", f"--simulate-shares={shares}"])
    assert f"'{shares}' is no number of shares; expected 1 to 1000" in capsys.readouterr().err
