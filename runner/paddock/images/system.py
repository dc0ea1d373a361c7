"""The layer of Debian packages that a project asks for: installed on a copy of the base, and what that added to it.

They are installed, scripts and all, unlike the packages of the services: what a project names may need links and
registers that only those scripts make. They run in namespaces of their own, so nothing stays mounted or started.
It must not know images or registries.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.images import debian, distribution

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from paddock.images.layers import Entry
    from paddock.images.release import Release

_NAMESPACES = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child")
_PREPARED = 'mount --rbind /dev "$1/dev"; mount -t proc proc "$1/proc"; shift; exec "$@"'
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""policy-rc.d: installation scripts start nothing (Debian policy, section 9.3.3.1 and invoke-rc.d(8))."""

Stamp = tuple[int, int, int]


def build(release: Release, packages: Sequence[str], base: Path, work: Path) -> dict[str, Entry]:
    """Install ``packages`` on what the archive ``base`` holds, in the folder ``work``, and return what they added.

    Raises:
        UsageError: the release has no package of a name, or this process is not root.
        ImageError: a step failed; what the tool said is quoted.
    """
    distribution.demand_root()
    archive = debian.Archive(release, work)
    archive.sources()
    check_names(packages, archive.names(), f"{release.distribution} {release.codename}")
    root = work / "root"
    root.mkdir()
    debian.run(["tar", "-x", "-C", str(root), "-f", str(base)], "Unpacking the base image")
    for folder in ("dev", "proc", "tmp", "var/cache/apt/archives/partial", "var/log/apt", "usr/sbin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    before = stamps(root)
    _install(archive, packages, root)
    after, found = stamps(root), distribution.tree(root, distribution.dropped())
    return {place: entry for place, entry in found.items() if before.get(place) != after[place]}


def check_names(packages: Sequence[str], known: Collection[str], release: str) -> None:
    """Refuse a package that the release does not have.

    Raises:
        UsageError: with the names nearest to the first wrong one.
    """
    wrong = next((package for package in packages if package not in known), None)
    if wrong:
        near = get_close_matches(wrong, known, n=3, cutoff=0.75)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise UsageError(
            f"{wrong!r} in 'image.packages' is no package of {release}.{hint} "
            f"`apt-cache search` finds names, in the main part of the distribution's own archive only."
        )


def stamps(root: Path) -> Mapping[str, Stamp]:
    """Return what tells whether a file was replaced or written to; of a folder, nothing but that it is there."""
    found: dict[str, Stamp] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            is_folder = path.is_dir() and not path.is_symlink()
            found[str(path.relative_to(root))] = (
                (0, 0, status.st_mode) if is_folder else (status.st_ino, status.st_mtime_ns, status.st_size)
            )
    return found


def _install(archive: debian.Archive, packages: Sequence[str], root: Path) -> None:
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_SERVICES, encoding="utf-8")
    policy.chmod(0o755)
    command = archive.installing(packages, root)
    debian.run([*_NAMESPACES, "sh", "-euc", _PREPARED, "sh", str(root), *command], f"Installing {', '.join(packages)}")
    policy.unlink()
