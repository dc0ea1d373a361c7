"""A worker image of the user's: whether tests can run in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import paddock
from paddock import specs
from paddock.errors import UsageError
from paddock.images import own
from paddock.images.layers import Content, Directory, Entry, Link

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = {"pytest": "9.2.0", "pytest-xdist": "3.8.0"}
SEARCH = ["/usr/local/bin", "/usr/bin"]


def image(*paths: str, **links: str) -> own.FileSystem:
    """Return a file system of empty files and of links, the latter named with ``__`` for a slash."""
    files: dict[str, Entry] = {path: Content(b"") for path in paths}
    folders: dict[str, Entry] = {
        "/".join(path.split("/")[:depth]): Directory() for path in paths for depth in range(1, path.count("/") + 1)
    }
    return own.FileSystem(
        entries={**folders, **files, **{path.replace("__", "/"): Link(target) for path, target in links.items()}}
    )


def distributions(site: str, **versions: str) -> list[str]:
    return [f"{site}/{name}-{version}.dist-info/METADATA" for name, version in versions.items()]


OFFICIAL = (
    "usr/local/bin/python3.12",
    *distributions("usr/local/lib/python3.12/site-packages", pytest="9.2.0", pytest_xdist="3.8.0"),
)
OFFICIAL_LINKS = {"usr__local__bin__python3": "python3.12"}


def test_the_python_of_a_usual_image_is_found() -> None:
    """As in the image of that name: links to a versioned name, distributions beside the standard library."""
    found = own.find_python("it", image(*OFFICIAL, **OFFICIAL_LINKS), SEARCH)
    assert found == own.Python(
        executable=Path("/usr/local/bin/python3"),
        version=(3, 12),
        site="usr/local/lib/python3.12/site-packages",
        distributions=HERE,
    )


def test_debians_python_sees_the_folders_that_debian_uses() -> None:
    """What apt installs and what pip installs."""
    below = image(
        "usr/bin/python3.11",
        *distributions("usr/lib/python3/dist-packages", pytest="9.2.0"),
        *distributions("usr/local/lib/python3.11/dist-packages", pytest_xdist="3.8.0"),
        usr__bin__python3="python3.11",
    )
    assert own.find_python("it", below, SEARCH).distributions == HERE


def test_debians_python_does_not_see_what_others_would_see() -> None:
    """A folder ``site-packages`` below /usr is nothing to it: tests would not find their pytest there."""
    below = image(
        "usr/bin/python3.11",
        "usr/lib/python3/dist-packages/README",
        *distributions("usr/lib/python3.11/site-packages", pytest="9.2.0"),
        usr__bin__python3="python3.11",
    )
    found = own.find_python("it", below, SEARCH)
    assert (found.site, found.distributions) == ("usr/lib/python3/dist-packages", {})


def test_a_virtual_environment_through_links_is_found() -> None:
    """As in the images that Paddock makes: the environment's own path is a link, its interpreter another."""
    below = image(
        "srv/venv/pyvenv.cfg",
        "root/python/bin/python3.13",
        *distributions("srv/venv/lib/python3.13/site-packages", pytest="9.2.0", pytest_xdist="3.8.0"),
        project="/srv/venv",
        srv__venv__bin__python3="python",
        srv__venv__bin__python="/root/python/bin/python3.13",
    )
    found = own.find_python("it", below, ["/project/bin", "/usr/bin"])
    assert (found.executable, found.version, found.distributions) == (Path("/project/bin/python3"), (3, 13), HERE)


def test_an_image_without_python_is_told() -> None:
    """With where it was looked for."""
    with pytest.raises(UsageError, match=r"'it' has no python3 on its search path /usr/local/bin:/usr/bin"):
        own.find_python("it", image("usr/bin/perl"), SEARCH)


@pytest.mark.parametrize(
    ("version", "changes", "sentence"),
    [
        ((3, 12), {}, ""),
        ((3, 10), {}, "its /usr/bin/python3 is Python 3.10, and 3.11 is the lowest."),
        ((3, 12), {"pytest": None}, "has no pytest, this environment has 9.2.0: install pytest==9.2.0 there."),
        ((3, 12), {"pytest-xdist": None}, "has no pytest-xdist, this environment has 3.8.0: install"),
        ((3, 12), {"pytest": "8.0.0"}, "has pytest 8.0.0, this environment has 9.2.0: install pytest==9.2.0 there."),
        ((3, 12), {"paddock": "0.1"}, ""),
        ((3, 12), {"paddock": "7"}, "it has paddock 7, and this environment has 0.1: install that one, or none."),
    ],
)
def test_what_is_wrong_with_an_image_is_one_sentence(
    version: tuple[int, int], changes: Mapping[str, str | None], sentence: str
) -> None:
    """It names what is there, what is needed and the remedy."""
    there = {name: text for name, text in {**HERE, **changes}.items() if text}
    found = own.Python(executable=Path("/usr/bin/python3"), version=version, site="", distributions=there)
    said = own.complaint(found, HERE, "0.1")
    assert sentence in said
    assert bool(said) == bool(sentence)


def added(**changes: object) -> dict[str, Entry]:
    below = own.FileSystem(entries={}, texts={"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
    given: dict[str, object] = {"inpod": {"main.py": b"1"}, "uid": 1234, "roots": [Path("/srv/project")]} | changes
    found = own.find_python("it", image(*OFFICIAL, **OFFICIAL_LINKS), SEARCH)
    return own.additions(found, below, **given)  # type: ignore[arg-type]


def test_the_pods_user_gets_a_name_and_a_home_and_tests_their_fixtures() -> None:
    """Nothing of the image is lost by it."""
    made = added()
    passwd = made["etc/passwd"]
    assert isinstance(passwd, Content)
    assert passwd.data.startswith(b"root:x:0:0")
    assert b"paddock:x:1234:1234" in passwd.data
    assert {"home/paddock", "srv/project", "opt/paddock/lib/main.py"} <= set(made)
    site = "usr/local/lib/python3.12/site-packages"
    assert f"{site}/paddock/fixtures/services.py" in made
    assert f"{site}/paddock-{paddock.__version__}.dist-info/entry_points.txt" in made


def test_a_user_that_the_image_knows_keeps_its_name() -> None:
    """As the account that a service of the image has."""
    assert "etc/passwd" not in added(uid=0)


def test_packages_cannot_be_added_to_it() -> None:
    """Whoever makes the image installs them there."""
    with pytest.raises(UsageError, match=r"'image.packages' cannot be added to an image of your own"):
        own.demanded(specs.ImageChoices(worker="it", packages=("git",)))
