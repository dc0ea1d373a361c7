"""The worker image's uppermost layer."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from paddock.errors import ImageError
from paddock.images import archive, supervisor
from paddock.images.layers import Content, Directory

if TYPE_CHECKING:
    from pathlib import Path

USUAL = supervisor.accounts(1000)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base layer with its account files."""
    archive.write({path: Content(b"root:x:0:\n" + line.encode()) for path, line in USUAL.items()}, tmp_path / "base")
    return tmp_path / "base"


def test_the_in_pod_half_lies_below_its_folder(base: Path) -> None:
    """Nothing but the given files and a folder for its socket is added for the usual user."""
    made = supervisor.entries({"paddock/main.py": b"pass"}, 1000, base)
    assert made == {"opt/paddock/lib/paddock/main.py": Content(b"pass"), "run/paddock": Directory(0o1777)}


def test_the_folders_of_the_sources_may_be_written_by_anyone(base: Path) -> None:
    """The pod's user unpacks there, whatever its number."""
    made = supervisor.entries({}, 1000, base, [PurePosixPath("/srv/project"), PurePosixPath("/opt/sibling")])
    assert made["srv/project"] == made["opt/sibling"] == Directory(0o1777)


def test_folders_between_two_sources_may_be_written_as_well(base: Path) -> None:
    """A project around the other one has files there; what lies above both is nobody's."""
    made = supervisor.entries({}, 1000, base, [PurePosixPath("/srv/p/examples/one"), PurePosixPath("/srv/p")])
    assert made["srv/p"] == made["srv/p/examples"] == made["srv/p/examples/one"] == Directory(0o1777)
    assert "srv" not in made


def test_another_user_takes_the_place_of_the_usual_one(base: Path) -> None:
    """The number must have a name and a home, or looking up the user fails in tests."""
    made = supervisor.entries({}, 1234, base)
    accounts = {path: entry.data.decode() for path, entry in made.items() if isinstance(entry, Content)}
    assert accounts["etc/passwd"] == "root:x:0:\npaddock:x:1234:1234:Paddock worker:/home/paddock:/bin/sh\n"
    assert accounts["etc/group"] == "root:x:0:\npaddock:x:1234:\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "../bin/start"])
def test_a_path_out_of_the_folder_is_refused(base: Path, path: str) -> None:
    """A layer could otherwise replace anything in the image."""
    with pytest.raises(ImageError, match="below"):
        supervisor.entries({path: b""}, 1000, base)
