"""``[tool.paddock.services]``: what is taken, and what is refused in a sentence with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.services import placeholders
from paddock.services.environment import from_environment, to_environment
from paddock.settings import pyproject
from paddock.settings.resolution import resolve
from paddock.specs import DeclaredService, ServiceFacts

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[tool.paddock.services.cache]
image = "redis:7"
port = 6379
readiness = {exec = {command = ["redis-cli", "ping"]}}
environment = {LEVEL = "debug"}
memory = "64Mi"

[tool.paddock.services.api]
port = 8080
readiness = "tcp"
command = ["python", "-m", "api"]

[tool.paddock.env]
CACHE_URL = "redis://{cache.host}:{cache.port}/0"
"""


CACHE, IMAGE, TCP = "[tool.paddock.services.cache]\n", "\nimage = 'r:7'", "\nreadiness = 'tcp'"


def document(folder: Path, text: str) -> pyproject.Pyproject:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return pyproject.read(folder)


def test_services_are_read_as_declared(tmp_path: Path) -> None:
    """Both forms of readiness, defaults, and placeholders of the declared names."""
    settings = resolve({}, {}, document(tmp_path, GOOD))
    cache, api = settings.services
    assert cache == DeclaredService(
        name="cache",
        image="redis:7",
        port=6379,
        readiness={"exec": {"command": ["redis-cli", "ping"]}},
        environment={"LEVEL": "debug"},
        memory="64Mi",
        place=f"{tmp_path}/pyproject.toml:2",
    )
    assert (api.image, api.readiness) == (None, {"tcpSocket": {"port": 8080}})
    assert settings.templates == {"CACHE_URL": "redis://{cache.host}:{cache.port}/0"}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (f"{CACHE}port = 1{IMAGE}", "pyproject.toml:1 has no 'readiness'; tests would begin before it answers"),
        (f"{CACHE}{TCP}{IMAGE}", "pyproject.toml:1 has no 'port'"),
        (f"{CACHE}port = 1{TCP}", "has neither image nor command"),
        (f"{CACHE}imag = 1", "has the unknown key 'imag'. Did you mean 'image'?"),
        ("[tool.paddock.services.worker]\nport = 1", "services.worker] of .*:1 cannot be a service's name"),
        ("[tool.paddock.services.My_Cache]\nport = 1", "cannot be a service's name"),
        ("[tool.paddock]\nservices = 'redis'", "'services' in .*:2 is 'redis'; expected a table"),
        ("[tool.paddock.services]\ncache = 'redis'", "services.cache] of .*:2 is 'redis'; expected a table"),
        (
            f"{CACHE}readiness = 'ready'\nport = 1{IMAGE}",
            "'readiness' in .*services.cache] of .*:2 is 'ready'; expected",
        ),
        (f"{CACHE}port = 0{TCP}{IMAGE}", "'port' in .*:2 is 0; expected a number from 1 to 65535"),
        (f"{CACHE}image = ['r:7']\nport = 1{TCP}", "'image' in .*:2 is .*; expected a reference"),
        (
            f"{CACHE}port = 1{TCP}{IMAGE}\n[tool.paddock.env]\nA = '{{cach.host}}'",
            "unknown placeholder {cach.host}. Did you mean {cache.host}?",
        ),
    ],
)
def test_mistakes_are_one_sentence_with_file_and_line(lines: str, sentence: str, tmp_path: Path) -> None:
    """A service without readiness, a slip in a key, a name that is taken, a value of another type."""
    with pytest.raises(
        UsageError, match=sentence.replace("{", "\\{").replace("?", "\\?").replace("[", "\\[")
    ) as raised:
        resolve({}, {}, document(tmp_path, lines))
    assert "\n" not in str(raised.value)
    assert "pyproject.toml" in str(raised.value)


def test_facts_of_a_declared_service_are_its_host_and_port() -> None:
    """Nobody knows its protocol, so there is no URL; every placeholder of it is a variable that is given."""
    facts = ServiceFacts(kind="cache", host="cache", port=6379)
    variables = to_environment(facts)
    assert variables == {"PADDOCK_CACHE_HOST": "cache", "PADDOCK_CACHE_PORT": "6379"}
    assert from_environment("cache", variables) == facts
    known = placeholders.variables(["cache"])
    assert {variable for name, variable in known.items() if name.startswith("cache.")} == variables.keys()
    assert placeholders.services({"cache.host", "database.port", "run.id"}) == ["cache", "database"]
