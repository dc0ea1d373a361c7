"""``[tool.paddock.services]``: what is taken, and what is refused in a sentence with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paddock.declared_services import DeclaredService
from paddock.errors import UsageError
from paddock.services import placeholders
from paddock.services.environment import from_environment, of_declared, to_environment
from paddock.settings import pyproject
from paddock.settings.resolution import resolve
from paddock.specs import ServiceFacts

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
        (
            f"{CACHE}hardware = 'a,b'\nport = 1{TCP}{IMAGE}",
            "'hardware' in .*:2 is 'a,b'; expected a kind of hardware such as coral, or coral=2 for two of it",
        ),
        (f"{CACHE}hardware = 'a=0'\nport = 1{TCP}{IMAGE}", "'hardware' in .*:2 is 'a=0'; expected a kind"),
        (f"{CACHE}hardware = 2\nport = 1{TCP}{IMAGE}", "'hardware' in .*:2 is 2; expected a kind"),
        (
            f"{CACHE}hardware = 'a'\nport = 1{TCP}{IMAGE}\n[tool.paddock.env]\nX = '{{cache.port}}'",
            "has the unknown placeholder {cache.port}",
        ),
        (f"{CACHE}port = 0{TCP}{IMAGE}", "'port' in .*:2 is 0; expected a number from 1 to 65535"),
        (f"{CACHE}image = ['r:7']\nport = 1{TCP}", "'image' in .*:2 is .*; expected a reference"),
        (f"{CACHE}port = 1{TCP}{IMAGE}\nobjects = 'c.yaml'", "has objects and 'image', which stands in them"),
        (f"{CACHE}port = 1{TCP}{IMAGE}\nurl = '{{cache.prt}}'", "'url' in .*unknown placeholder {cache.prt}"),
        (
            f"{CACHE}port = 1{TCP}{IMAGE}\nlocal-command = 'serve'",
            "'local-command' in .*:5 is 'serve'; expected a list",
        ),
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


def test_a_url_that_is_declared_is_a_fact_as_well() -> None:
    """With the values of the place where the service listens, as variable and as placeholder."""
    service = DeclaredService(name="cache", port=6379, readiness={}, url="redis://{cache.host}:{cache.port}/0")
    facts = of_declared(service)
    assert facts.url == "redis://cache:6379/0"
    variables = to_environment(facts)
    assert from_environment("cache", variables) == facts
    assert placeholders.variables([service])["cache.url"] in variables


def test_facts_of_a_declared_service_are_its_host_and_port() -> None:
    """Nobody knows its protocol, so there is no URL; every placeholder of it is a variable that is given."""
    facts = ServiceFacts(kind="cache", host="cache", port=6379)
    variables = to_environment(facts)
    assert variables == {"PADDOCK_CACHE_HOST": "cache", "PADDOCK_CACHE_PORT": "6379"}
    assert from_environment("cache", variables) == facts
    service = DeclaredService(name="cache", port=6379, readiness={})
    assert of_declared(service) == facts
    known = placeholders.variables([service])
    assert {variable for name, variable in known.items() if name.startswith("cache.")} == variables.keys()
    assert placeholders.services({"cache.host", "database.port", "run.id"}) == ["cache", "database"]


POD = "kind: Pod\nmetadata: {name: cache}\nspec: {containers: [{name: c, readinessProbe: {tcpSocket: {port: 6379}}}]}\n"
OBJECTS = f"{CACHE}port = 6379\nobjects = 'k8s/cache.yaml'\n"


def with_objects(folder: Path, yaml: str, text: str = OBJECTS) -> pyproject.Pyproject:
    (folder / "k8s").mkdir()
    (folder / "k8s" / "cache.yaml").write_text(yaml, encoding="utf-8")
    return document(folder, text)


def test_a_service_may_be_objects_of_the_projects_own(tmp_path: Path) -> None:
    """A file beside pyproject.toml; its pod's probe is the service's."""
    (cache,) = resolve(
        {}, {}, with_objects(tmp_path, f"---\n{POD}---\nkind: Service\nmetadata: {{name: cache}}\n")
    ).services
    assert [one["kind"] for one in cache.objects] == ["Pod", "Service"]
    assert (cache.readiness, cache.own_command) == ({"tcpSocket": {"port": 6379}}, ())


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        (
            "kind: Deployment\nmetadata: {name: cache}\n",
            "cache.yaml:1 is of the kind 'Deployment'; expected one of Pod",
        ),
        (
            f"{POD}---\nkind: Pod\nmetadata: {{name: broker}}\n",
            "'metadata.name' at .*cache.yaml:5 is 'broker'; expected",
        ),
        (POD.replace("name: cache", "name: other"), "pyproject.toml:3, have no Pod 'cache'; expected one"),
        (f"{POD}---\n{POD}", "have the Pod 'cache' twice"),
        ("kind: Pod\nmetadata: {name: cache}\n", "The pod at .*cache.yaml:1 has no containers"),
        (POD.replace("readinessProbe", "livenessProbe"), "pyproject.toml:1 has no 'readiness'"),
        ("kind: [", "cache.yaml, named at .*pyproject.toml:3, cannot be read as YAML: "),
        ("- 1\n", "cache.yaml:1 is of the kind None; expected"),
    ],
)
def test_objects_that_cannot_be_meant_are_one_sentence(yaml: str, sentence: str, tmp_path: Path) -> None:
    """Another kind, a name that is taken or missing, no probe, no YAML: with file and line."""
    with pytest.raises(UsageError, match=sentence) as raised:
        resolve({}, {}, with_objects(tmp_path, yaml))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the line that names it."""
    with pytest.raises(UsageError, match=r"cache.yaml, named at .*pyproject.toml:3, cannot be read: No such file"):
        resolve({}, {}, document(tmp_path, OBJECTS))


def test_objects_of_two_services_have_names_of_their_own(tmp_path: Path) -> None:
    """They share a worker's namespace."""
    more = f"{POD}---\nkind: Service\nmetadata: {{name: api}}\n"
    api = "[tool.paddock.services.api]\nport = 1\nreadiness = 'tcp'\ncommand = ['serve']\n"
    with pytest.raises(UsageError, match=r"The Service 'api' of .*:1 is one of .*pyproject.toml:4 as well"):
        resolve({}, {}, with_objects(tmp_path, more, OBJECTS + api))
