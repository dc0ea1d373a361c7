"""What is made, and when nothing is."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paddock import specs
from paddock.errors import UsageError
from paddock.images import assembly, environment, making, places, release
from paddock.images import registry as registries

BASE = release.Release(distribution="debian", codename="bookworm", machine="x86_64")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose release is known and whose registry has everything."""
    monkeypatch.setattr(release, "current", lambda: BASE)
    monkeypatch.setattr(registries, "missing", lambda _host, _references: [])


@pytest.mark.usefixtures("known")
def test_nothing_is_made_when_the_registry_has_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The start of every run passes here: neither the cache nor the lock is touched."""
    monkeypatch.setattr(making.Maker, "publish", lambda *_: pytest.fail("something was made"))
    cache = tmp_path / "cache"
    said: list[str] = []
    images, python = assembly.ensure("host:5", crane=lambda: tmp_path, inpod={}, uid=1, report=said.append, cache=cache)
    assert images.worker.startswith("host:5/paddock/worker:")
    assert python.executable == Path(sys.executable)
    assert said == []
    assert not cache.exists()


def keys(**changes: object) -> assembly.Keys:
    given: dict[str, object] = {"inpod": {"main.py": b"1"}, "uid": 1000, "base": BASE, "roots": ()} | changes
    return assembly.keys_of(environment.Environment.current(), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [{"uid": 1001}, {"roots": [Path("/srv/other")]}, {"inpod": {"main.py": b"2"}}, {"inpod": {"other.py": b"1"}}],
)
def test_user_and_in_pod_half_change_only_the_worker_image(change: dict[str, object]) -> None:
    """They lie in the uppermost layer: all others stay as they are."""
    before, after = keys(), keys(**change)
    assert before.worker != after.worker
    assert (before.packages, before.broker, before.database) == (after.packages, after.broker, after.database)


def test_another_release_changes_everything() -> None:
    """All layers lie on the base or hold libraries that fit it."""
    other = release.Release(distribution="debian", codename="trixie", machine="x86_64")
    before, after = dataclasses.asdict(keys()), dataclasses.asdict(keys(base=other))
    assert [name for name in before if before[name] == after[name]] == []


def test_choices_change_what_they_are_about_and_nothing_else(tmp_path: Path) -> None:
    """A layer of Debian packages touches neither the interpreter's nor the distributions', nor the other images."""
    (tmp_path / "own.conf").write_text("max_packet_size 1000\n")
    choices = {
        specs.ImageChoices(packages=("git",)): {"system", "worker"},
        specs.ImageChoices(broker_configuration=tmp_path / "own.conf"): {"broker"},
        specs.ImageChoices(database_configuration=tmp_path / "own.conf"): {"database"},
    }
    before = dataclasses.asdict(keys())
    for choice, expected in choices.items():
        after = dataclasses.asdict(keys(choices=choice))
        assert {name for name in before if before[name] != after[name]} == expected


def test_another_postgresql_changes_everything() -> None:
    """The base and the services are made of one look at the archive, so that they fit together."""
    before, after = (
        dataclasses.asdict(keys()),
        dataclasses.asdict(keys(choices=specs.ImageChoices(database_version="15"))),
    )
    assert [name for name in before if before[name] == after[name]] == []


def test_the_order_of_packages_does_not_matter() -> None:
    """The same ones give the same image."""
    one, other = (keys(choices=specs.ImageChoices(packages=names)) for names in (("a1", "b2"), ("b2", "a1", "a1")))
    assert one == other


def test_a_configuration_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """The sentence says which file, and whose."""
    with pytest.raises(
        UsageError, match=r"nowhere.conf', the configuration of the broker, cannot be read: No such file"
    ):
        keys(choices=specs.ImageChoices(broker_configuration=tmp_path / "nowhere.conf"))


@pytest.mark.usefixtures("known")
def test_using_an_image_is_noted(tmp_path: Path) -> None:
    """Or what is used daily would be taken for old, since nothing is made of it any more."""
    cache = tmp_path / "cache"
    used = [
        places.image_record(cache, name, tag)
        for name, tag in assembly.tags(assembly.keys_of(environment.Environment.current(), BASE, {}, 1)).items()
    ]
    for record in used:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()
        os.utime(record, (1, 1))
    assembly.ensure("host:5", crane=lambda: tmp_path, inpod={}, uid=1, report=print, cache=cache)
    assert all(record.stat().st_mtime > 1 for record in used)


def test_importing_the_package_loads_nothing() -> None:
    """It stands on the start path of every run, also of those that make no images."""
    script = "import sys, paddock.images; print(*[name for name in sys.modules if name.startswith('paddock.images.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
