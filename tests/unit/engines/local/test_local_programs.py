"""Where servers' programs are found, and what is said where they are not."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from paddock.engines.local import programs
from paddock.errors import LeaseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with two versions of PostgreSQL where Debian has them, and nothing on PATH."""
    for version in ("9.6", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(programs, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    return tmp_path


def test_the_newest_postgresql_is_used_unless_a_version_is_asked_for(debian: Path) -> None:
    """By number and not by letter."""
    assert programs.postgresql() == debian / "16" / "bin"
    assert programs.postgresql("15") == debian / "15" / "bin"
    with pytest.raises(
        LeaseError, match=r"PostgreSQL 14 is not on this machine, which has 16, 15, 9\.6.*postgresql-14"
    ):
        programs.postgresql("14")


@pytest.mark.usefixtures("debian")
def test_without_mosquitto_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no wheel of it."""
    monkeypatch.setattr(programs, "_SYSTEM", ())
    with pytest.raises(LeaseError, match="apt install mosquitto"):
        programs.mosquitto()


def test_without_postgresql_a_wheel_is_used_or_named(
    debian: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its programs lie in the package."""
    monkeypatch.setattr(programs, "DEBIAN", debian / "none")
    monkeypatch.setattr(programs, "_WHEEL", "wheel_of_a_test")  # the real one may be installed
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(LeaseError, match=r"pip install paddock\[postgresql\]"):
        programs.postgresql()
    binaries = tmp_path / "site" / "wheel_of_a_test" / "pginstall" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "initdb").touch()
    (binaries.parents[1] / "__init__.py").touch()
    importlib.invalidate_caches()
    assert programs.postgresql() == binaries
