"""The layers made of the distribution's packages: base, broker, database.

Owns how packages become layers: the base is installed by mmdebstrap, the services' packages are unpacked beside it
without their installation scripts. Nothing is mounted or started outside mmdebstrap, and all of it happens in one
folder that is removed afterwards. It must not know images or registries.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import ImageError, UsageError
from paddock.images import debian, recipes, supervisor
from paddock.images.definitions import DATA, HOME
from paddock.images.layers import Directory, Entry, File, Link
from paddock.images.selection import skipping
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from paddock.images.release import Release

_SERVER = re.compile(r"postgresql-(\d+)")
_SERVICES = {
    "broker": ("usr/sbin/mosquitto",),
    "database": ("usr/lib/postgresql/*/bin/postgres", "usr/lib/postgresql/*/bin/psql"),
}
"""Programs of each service's layer that must find all their libraries."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The packages of one layer, as ``k8s/images/packages.yaml`` names them."""

    packages: Sequence[str]
    drop: Sequence[str] = ()
    without: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What the packages gave."""

    base: Mapping[str, Entry] = field(repr=False)
    broker: Mapping[str, Entry] = field(repr=False)
    database: Mapping[str, Entry] = field(repr=False)


def build(
    release: Release, packages: Path, work: Path, report: Callable[[str], None], database_version: str | None = None,
) -> Layers:  # fmt: skip
    """Make the three layers of what the file ``packages`` names in the folder ``work``; entries refer to files there.

    ``database_version`` is a major version of PostgreSQL, in place of the release's usual one.

    Raises:
        UsageError: this process is not root, or the release has no such PostgreSQL.
        ImageError: a step failed; what the tool said is quoted.
    """
    demand_root()
    recipe = _read(packages)
    if database_version:
        recipe["database"] = replace(recipe["database"], packages=[f"postgresql-{database_version}"])
    root, downloads = work / "root", work / "downloads"
    report(f"images: installing the base of {release.distribution} {release.codename} (about half a minute, once)")
    _install(release, recipe, work)
    _add_user(root)
    base = tree(root, recipe["base"].drop)
    report("images: unpacking the packages of broker and database")
    broker, database = (_unpack(downloads / name, recipe[name], root, work / name, name) for name in _SERVICES)
    database |= _data_directory(work / "database.merged")
    return Layers(base=base, broker=broker, database=database)


def demand_root() -> None:
    """Refuse anybody but root.

    Raises:
        UsageError: this process is not root.
    """
    if os.geteuid() != 0:
        raise UsageError(
            "Installing the base image in a folder needs root. Run as root, or name an image in the setting `image`."
        )


def dropped() -> Sequence[str]:
    """Return the patterns of paths that get into no layer, as the base's recipe has them."""
    return _read(recipes.packages())["base"].drop


def _read(path: Path) -> dict[str, Recipe]:
    import yaml  # noqa: PLC0415 - only needed when something is built, which is once

    return {name: Recipe(**fields) for name, fields in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


def _install(release: Release, recipe: Mapping[str, Recipe], work: Path) -> None:
    archive = debian.Archive(release, work)
    sources = archive.sources()
    tool, environment = _mmdebstrap(archive)
    _check_database(recipe["database"].packages, archive.names(), release)
    (work / "apt.conf").write_text(debian.acquire_settings(), encoding="utf-8")
    hook = _download_hook(work, recipe)
    options = [
        "--quiet",
        "--variant=essential",
        "--format=directory",
        "--mode=root",
        f"--include={','.join(recipe['base'].packages)}",
    ]
    hooks = [
        f"--hook-dir={tool.parents[1]}/share/mmdebstrap/hooks/maybe-merged-usr",
        f"--setup-hook={_CREDENTIALS}",
        f"--customize-hook={hook}",
    ]
    settings = [f"--aptopt={work}/apt.conf", "--dpkgopt=force-unsafe-io"]
    command = [
        "env",
        *environment,
        "LC_ALL=C.UTF-8",
        str(tool),
        *options,
        *hooks,
        *settings,
        release.codename,
        str(work / "root"),
        "-",
    ]
    debian.run(command, "Installing the base of the images", data=sources)


def _mmdebstrap(archive: debian.Archive) -> tuple[Path, list[str]]:
    """Return the program, this machine's or one fetched now, and the environment that it needs."""
    if installed := debian.program("mmdebstrap"):
        return installed, []
    unpacked = archive.download("mmdebstrap")
    search = f"{unpacked}/usr/bin:{os.environ.get('PATH', os.defpath)}"  # it calls a helper that is packaged with it
    return unpacked / "usr/bin/mmdebstrap", [f"PATH={search}", f"PERL5LIB={debian.perl_path(unpacked)}"]


def _check_database(packages: Sequence[str], known: Collection[str], release: Release) -> None:
    if not set(packages) <= set(known):
        versions = sorted(found[1] for name in known if (found := _SERVER.fullmatch(name)))
        raise UsageError(
            f"'database.version' asks for the package {packages[0]!r}, which {release.distribution} {release.codename} "
            f"does not have. It has PostgreSQL {' and '.join(versions)}: say one of these, or leave it out."
        )


_CREDENTIALS = 'for it in /etc/apt/auth.conf /etc/apt/auth.conf.d; do [ ! -e "$it" ] || cp -r "$it" "$1/etc/apt/"; done'


def _download_hook(work: Path, recipe: Mapping[str, Recipe]) -> Path:
    """Write the program that fetches the services' packages while mmdebstrap has its lists at hand."""
    lines = ["#!/bin/sh", "set -eu", 'export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"']
    for name in _SERVICES:
        (work / "downloads" / name / "partial").mkdir(parents=True)
        options = ["-qq", "-y", "--no-install-recommends", "--download-only", "-oAPT::Sandbox::User=root"]
        options.append(f"-oDir::Cache::archives={work}/downloads/{name}")
        lines.append(f"apt-get {shlex.join(options)} install {shlex.join(recipe[name].packages)}")
    hook = work / "download"
    hook.write_text("\n".join(lines) + "\n", encoding="utf-8")
    hook.chmod(0o755)
    return hook


def _add_user(root: Path) -> None:
    for name, line in supervisor.accounts(DEFAULT_UID).items():
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(line)
    home = root / HOME.lstrip("/")
    home.mkdir()
    home.chmod(0o1777)  # whatever number a pod runs as


def tree(root: Path, drop: Sequence[str] = ()) -> dict[str, Entry]:
    """Return the entries of everything below ``root`` with the modes it has, except what matches ``drop``."""
    dropped, found = skipping(drop), dict[str, Entry]()
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            place = str(path.relative_to(root))
            entry = None if dropped(f"/{place}") else _entry(path)
            if entry is not None:
                found[place] = entry
    return dict(sorted(found.items()))


def _entry(path: Path) -> Entry | None:
    if path.is_symlink():
        return Link(str(path.readlink()))
    mode = path.stat().st_mode & 0o1777  # no set-user-id: pods get no new privileges
    if path.is_dir():
        return Directory(mode)
    return File(path, mode) if path.is_file() else None


def _unpack(downloads: Path, recipe: Recipe, root: Path, target: Path, service: str) -> dict[str, Entry]:
    """Unpack packages on top of ``root`` and return what they add to it."""
    target.mkdir()
    for link in (path for path in root.iterdir() if path.is_symlink()):
        (target / link.name).symlink_to(
            link.readlink()
        )  # lib and its like lead to usr: packages are unpacked through them
        (target / link.readlink()).mkdir(parents=True, exist_ok=True)
    for package in sorted(downloads.glob("*.deb")):
        if not any(fnmatch.fnmatch(package.name.split("_", 1)[0], pattern) for pattern in recipe.without):
            _extract(package, target)
    merged = target.with_suffix(".merged")
    debian.run(["cp", "-al", f"{root}/.", str(merged)], "Copying the base image")
    debian.run(["cp", "-al", f"{target}/.", str(merged)], "Adding packages to a copy of the base image")
    _check_libraries(merged, service)
    return {place: entry for place, entry in tree(target, recipe.drop).items() if not _same(root / place, entry)}


def _same(path: Path, entry: Entry) -> bool:
    return (path.is_dir() and isinstance(entry, Directory)) or (path.is_symlink() and isinstance(entry, Link))


def _extract(package: Path, target: Path) -> None:
    # tar and not `dpkg-deb --extract`: that one replaces a link to a folder by the package's folder.
    script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"'
    debian.run(["sh", "-c", script, "sh", str(package), str(target)], f"Unpacking {package.name}")
    status = target / "var/lib/dpkg/status.d"  # where image scanners look for packages without an installer's database
    status.mkdir(parents=True, exist_ok=True)
    control = debian.run(["dpkg-deb", "--field", str(package)], f"Reading {package.name}")
    (status / package.name.split("_", 1)[0]).write_text(control, encoding="utf-8")


def _check_libraries(merged: Path, service: str) -> None:
    programs = [f"/{path.relative_to(merged)}" for pattern in _SERVICES[service] for path in merged.glob(pattern)]
    said = debian.run(["chroot", str(merged), "ldd", *programs], f"Checking the programs of the {service} image")
    lost = sorted({line.strip() for line in said.splitlines() if "not found" in line})
    if lost or len(programs) < len(_SERVICES[service]):
        raise ImageError(
            f"The {service} image is incomplete: {', '.join(lost) or _SERVICES[service]}. See k8s/images/packages.yaml."
        )


def _data_directory(merged: Path) -> dict[str, Entry]:
    """Initialise a data directory inside ``merged`` and return its entries."""
    data = merged / DATA
    data.parent.mkdir(parents=True)
    data.mkdir()
    os.chown(data, DEFAULT_UID, DEFAULT_UID)
    (program,) = merged.glob("usr/lib/postgresql/*/bin/initdb")
    user = f"--userspec={DEFAULT_UID}:{DEFAULT_UID}"
    initdb = [f"/{program.relative_to(merged)}", *recipes.INITDB, f"--pgdata=/{DATA}"]
    debian.run(["chroot", user, str(merged), *initdb], "Initialising the database image")
    return {f"{DATA}/{place}": readable(entry) for place, entry in tree(data).items()} | {DATA: Directory()}


def readable(entry: Entry) -> Entry:
    """Return ``entry`` open for reading: whichever user a pod has copies the directory before it starts."""
    if isinstance(entry, File):
        return File(entry.source)
    return Directory() if isinstance(entry, Directory) else entry
