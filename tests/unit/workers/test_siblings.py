"""Laws of which folders outside the project are sent with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from paddock.workers.siblings import siblings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a project."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Make a folder of distributions."""
    (tmp_path / "site-packages").mkdir()
    return tmp_path / "site-packages"


def install(site: Path, project: Path, **info: object) -> Path:
    """Leave what an installer leaves of ``project``, which is made."""
    project.mkdir(parents=True, exist_ok=True)
    record = site / f"{project.name.replace(' ', '_')}-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1.0\n")
    (record / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": info}))
    return project


def test_an_editable_install_outside_the_root_is_a_sibling(root: Path, site: Path, tmp_path: Path) -> None:
    """Its whole project is sent, whatever its path is made of; an ordinary install from a folder is in the image."""
    sibling = install(site, tmp_path / "a library", editable=True)
    install(site, tmp_path / "copied")
    install(site, tmp_path / "copied_too", editable=False)
    assert siblings(root, [str(site)]) == [sibling]


def test_the_project_itself_is_no_sibling(root: Path, site: Path) -> None:
    """Nor is what lies in it: its sources are sent anyway."""
    install(site, root, editable=True)
    install(site, root / "plugins" / "one", editable=True)
    assert siblings(root, [str(site)]) == []


def test_a_project_around_the_root_is_a_sibling(root: Path, site: Path, tmp_path: Path) -> None:
    """Pytest may be started in an example of a library that is installed editable."""
    assert siblings(install(site, root, editable=True) / "example", [str(site)]) == [root]
    assert tmp_path in root.parents


def test_folders_of_pth_files_are_siblings(root: Path, site: Path, tmp_path: Path) -> None:
    """Older editable installs, and folders added by hand; lines that are programs or lead nowhere are not."""
    (tmp_path / "old" / "src").mkdir(parents=True)
    (site / "easy.pth").write_text(f"{tmp_path}/old/src\n{root}\n/no/such/folder\nimport os\n# comment\n\n../old/src\n")
    assert siblings(root, [str(site)]) == [tmp_path / "old" / "src"]


def test_a_folder_within_another_is_sent_once(root: Path, site: Path, tmp_path: Path) -> None:
    """The .pth file of an editable install leads into its project."""
    sibling = install(site, tmp_path / "library", editable=True)
    (sibling / "src").mkdir()
    (site / "library.pth").write_text(f"{sibling}/src\n")
    assert siblings(root, [str(site)]) == [sibling]


def test_what_the_image_holds_is_no_sibling(root: Path, site: Path, tmp_path: Path) -> None:
    """Folders in the environment, in other folders of distributions, and folders that are gone."""
    gone = install(site, tmp_path / "gone", editable=True)
    gone.rmdir()
    shared = tmp_path / "dist-packages" / "thing"
    shared.mkdir(parents=True)
    (site / "x.pth").write_text(f"{shared}\n{Path(sys.prefix) / 'lib'}\n")
    if sys.prefix == sys.base_prefix:
        (site / "x.pth").write_text(f"{shared}\n")
    assert siblings(root, [str(site)]) == []


def test_the_running_environment_is_asked_by_default(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this process could import is what workers must be able to import."""
    sibling = install(root, tmp_path / "here", editable=True)
    monkeypatch.setattr(sys, "path", [str(root)])
    assert siblings(root) == [sibling]
