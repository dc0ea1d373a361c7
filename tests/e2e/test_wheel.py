"""The wheel, away from the checkout: it holds what it needs, and a suite runs with it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from paddock.resources import k8s_folder
from tests.e2e.conftest import ROOT, user_environment

if TYPE_CHECKING:
    from tests.plugins.cluster import EmbeddedNode

UV = uv.find_uv_bin()

SUITE = """\
import paho.mqtt.client
import psycopg
import pytest

@pytest.mark.parametrize("number", range(6))
def test_with_services(mqtt_broker, database_server, number):
    client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2)
    client.username_pw_set(mqtt_broker.username, mqtt_broker.password)
    client.connect(mqtt_broker.host, mqtt_broker.port)
    client.disconnect()
    with psycopg.connect(database_server.url) as connection:
        assert connection.execute("SELECT %s::int", [number]).fetchone() == (number,)
"""


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd=folder, env=user_environment(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the sdist, as a release does."""
    folder = tmp_path_factory.mktemp("dist")
    built = run(UV, "build", "--out-dir", folder, ROOT, folder=folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a clean environment that holds the wheel and nothing else of ours."""
    environment = tmp_path_factory.mktemp("clean") / "venv"
    made = run(UV, "venv", "--python", sys.executable, environment, folder=environment.parent)
    assert made.returncode == 0, made.stderr
    installed = run(UV, "pip", "install", "--python", environment / "bin" / "python", wheel, folder=environment.parent)
    assert installed.returncode == 0, installed.stderr
    return environment / "bin" / "python"


def test_every_file_of_k8s_travels_in_the_wheel(wheel: Path) -> None:
    """What git knows below ``k8s/`` lies in the package, byte for byte."""
    listed = subprocess.run(
        ["git", "ls-files", "k8s"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    expected = {name: (ROOT / name).read_bytes() for name in listed if (ROOT / name).exists()}
    assert expected
    with zipfile.ZipFile(wheel) as archive:
        packed = {
            name: archive.read(f"paddock/_{name}") for name in expected if f"paddock/_{name}" in archive.namelist()
        }
    assert packed == expected


def test_an_installed_paddock_finds_its_files(python: Path, tmp_path: Path) -> None:
    """They are read from the environment, not from a checkout that happens to be near."""
    code = "from paddock.resources import k8s_folder; print(k8s_folder())"
    found = Path(run(python, "-c", code, folder=tmp_path).stdout.strip())
    assert found.is_relative_to(python.parents[1])
    assert {path.name for path in found.iterdir()} >= {path.name for path in k8s_folder().iterdir()}


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    """`paddock --version` works away from the checkout."""
    assert run(python.parent / "paddock", "--version", folder=tmp_path).stdout.startswith("paddock ")


def test_pytest_knows_the_options_at_once(python: Path, tmp_path: Path) -> None:
    """The plugin is found by its entry point; nothing has to be configured."""
    assert "--paddock" in run(python, "-m", "pytest", "--help", folder=tmp_path).stdout


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_suite_runs_with_the_wheel(python: Path, embedded_node: EmbeddedNode, tmp_path: Path) -> None:
    """`pytest --paddock -n 2` in a folder that has nothing but tests."""
    before = embedded_node.namespaces()
    (tmp_path / "test_services.py").write_text(SUITE, encoding="utf-8")
    result = run(python, "-m", "pytest", "--paddock", "-n", "2", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout
    assert "namespaces: created 2, deleted 2, left 0" in result.stdout
    assert embedded_node.wait_until_gone(before) == set()
