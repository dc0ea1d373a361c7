"""The kubeconfig through sudo: a copy of the caller's own, written with the caller's rights, gone with the node."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paddock.node import handing, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

SOMEBODY = 4711 if os.geteuid() == 0 else os.geteuid()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that belongs to somebody, outside of the folders that only this user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    os.chown(home, SOMEBODY, -1)
    account = pwd.struct_passwd(("somebody", "x", SOMEBODY, os.getegid(), "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: account)
    monkeypatch.setattr(handing, "RECORD", tmp_path / "handed.json")
    monkeypatch.setattr(handing, "_caller", lambda environment: account if "SUDO_UID" in environment else None)
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """The node's own, for root alone."""
    file = tmp_path / "admin.kubeconfig"
    file.write_text("secret")
    return file


SUDO = {"SUDO_UID": str(SOMEBODY)}


def test_the_caller_gets_a_copy_that_goes_with_the_node(home: Path, kubeconfig: Path) -> None:
    """Readable by the caller alone, at a path of theirs; handed over again it is the newer node's."""
    copy = handing.hand_over(kubeconfig, SUDO)
    assert copy == home / ".kube" / "paddock.kubeconfig"
    kubeconfig.write_text("newer")
    assert handing.hand_over(kubeconfig, SUDO) == copy
    assert copy.read_text() == "newer"
    assert (copy.stat().st_uid, stat.S_IMODE(copy.stat().st_mode)) == (SOMEBODY, 0o600)
    handing.take_back()
    assert not copy.exists()
    assert not handing.RECORD.exists()


def test_without_sudo_it_is_the_file_itself(home: Path, kubeconfig: Path) -> None:
    """Root, and whoever names a cluster of their own, get what they got before."""
    assert handing.hand_over(kubeconfig, {}) == kubeconfig
    assert list(home.iterdir()) == []
    handing.take_back()


def test_root_does_not_follow_a_link_out_of_the_home(home: Path, kubeconfig: Path, tmp_path: Path) -> None:
    """A link that the user has put there is replaced and never written through."""
    target = tmp_path / "precious"
    target.write_text("untouched")
    (home / ".kube").mkdir()
    os.chown(home / ".kube", SOMEBODY, -1)
    (home / ".kube" / "paddock.kubeconfig").symlink_to(target)
    copy = handing.hand_over(kubeconfig, SUDO)
    assert target.read_text() == "untouched"
    assert not copy.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for somebody else")
def test_a_home_that_its_owner_may_not_write_is_left_alone(home: Path, kubeconfig: Path) -> None:
    """What the caller could not have written, root does not write for them; and root is itself again."""
    os.chown(home, 0, 0)
    assert handing.hand_over(kubeconfig, SUDO) == kubeconfig
    assert list(home.iterdir()) == []
    assert os.geteuid() == 0


def test_a_caller_without_an_account_is_nobody(kubeconfig: Path) -> None:
    """SUDO_UID is only a variable: nonsense, and this very user, change nothing."""
    for number in ("", "x", "-1", str(os.geteuid()), "4294967294"):
        assert handing.hand_over(kubeconfig, {"SUDO_UID": number}) == kubeconfig


def test_a_callers_open_files_are_seen(tmp_path: Path) -> None:
    """What a supervisor would inherit, such as the lock of `flock FILE paddock node up`, is closed at its start."""
    with (tmp_path / "lock").open("w") as lock:
        assert lock.fileno() not in processes.inheritable_descriptors()
        os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 - the call's only form
        assert lock.fileno() in processes.inheritable_descriptors()
