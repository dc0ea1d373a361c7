"""A worker image of the user's: whether tests can run in it, and the same image with what Paddock adds on top.

It is looked at once for each of its digests, by its file system and without being started. Pure but for :func:`ensure`
and :func:`look`, which call the image client. It must not know clusters.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import paddock
from paddock import specs
from paddock.errors import ImageError, UsageError
from paddock.images import archive, fingerprint, layers, registry, release, supervisor
from paddock.images.definitions import HOME, WRITABLE_MODE
from paddock.images.layers import Content, Directory, Entry, File, Link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import PurePath

    from paddock.images.destinations import Destination
    from paddock.images.store import Store

RECIPE = "1"
"""Changes whenever something else would be added to the same image."""
NEEDED = ("pytest", "pytest-xdist")
"""Distributions that talk to their counterparts here, and so must be of the same version."""
LOWEST = (3, 11)
_SECONDS = 300
_DIST_INFO = re.compile(r"(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info")
_VERSIONED = re.compile(r"python(?P<major>\d+)\.(?P<minor>\d+)t?")
_ACCOUNTS = ("etc/passwd", "etc/group")


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """What lies where in an image."""

    entries: Mapping[str, Entry] = field(repr=False)
    texts: Mapping[str, str] = field(repr=False, default_factory=dict)
    """Content of the account files."""

    def links(self) -> dict[str, str]:
        """Return the symbolic links: path -> target."""
        return {path: entry.target for path, entry in self.entries.items() if isinstance(entry, Link)}


@dataclass(frozen=True, kw_only=True)
class Python:
    """The interpreter of an image."""

    executable: Path
    version: tuple[int, int]
    site: str
    """Folder for distributions, without a leading slash."""
    distributions: Mapping[str, str]
    """Normalised name -> version."""


@dataclass(frozen=True)
class Own:
    """The user's image with Paddock's half on top, and the interpreter in it."""

    reference: str
    python: specs.PythonEnvironment


def demanded(choices: specs.ImageChoices) -> str:
    """Return the reference of the user's image.

    Raises:
        UsageError: packages are to be added as well, which only works for an image that Paddock makes.
    """
    if choices.packages:
        raise UsageError("'image.packages' cannot be added to an image of your own: install them there.")
    return choices.worker or ""


def ensure(
    to: Destination, reference: str, *, crane: Path, inpod: Mapping[str, bytes], uid: int, roots: Sequence[PurePath],
    store: Store, report: Callable[[str], None],
) -> Own:  # fmt: skip
    """Make sure that the registry ``to`` which images go has the image ``reference`` with what Paddock adds.

    Raises:
        UsageError: the image has no Python that tests can run with; the sentence says what it lacks.
        ImageError: it could not be read or pushed.
    """
    digest = _crane(crane, reference, "digest", reference).strip()
    sources = {str(path): path.read_bytes() for path in _sources()}
    parts = [part for name, data in sorted({**inpod, **sources}.items()) for part in (name, data)]
    key = fingerprint.key_of("own", RECIPE, digest, str(uid), "\0".join(map(str, roots)), *parts)
    target, record = f"{to.prefix}/worker:{key}", store.path / "own" / f"{key}.json"
    if not record.is_file() or to.missing([target]):
        report(f"images: looking at {reference}, once …")
        found, below = look(crane, reference)
        _check(reference, found)
        added = layers.complete(additions(found, below, inpod, uid, roots), below.entries)
        with store.locked(report), store.work() as work:
            archive.write(added, work / "layer.tar")
            appended = (f"--base={reference}", f"--new_layer={work}/layer.tar", f"--new_tag={target}")
            _crane(crane, reference, "append", *appended)
            record.parent.mkdir(exist_ok=True)
            record.write_text(json.dumps({"executable": str(found.executable)}), encoding="utf-8")
    executable = Path(json.loads(record.read_bytes())["executable"])
    return Own(target, specs.PythonEnvironment(executable=executable))


def look(crane: Path, reference: str) -> tuple[Python, FileSystem]:
    """Return the interpreter and the file system of an image.

    Raises:
        UsageError: it has no interpreter.
        ImageError: it cannot be read.
    """
    configuration = json.loads(_crane(crane, reference, "config", reference)).get("config", {})
    variables = dict(one.split("=", 1) for one in configuration.get("Env") or () if "=" in one)
    below = _file_system(crane, reference)
    return find_python(reference, below, variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")), below


def find_python(reference: str, below: FileSystem, search: Sequence[str]) -> Python:
    """Return the interpreter that the image's own search path leads to, with the distributions it sees.

    Raises:
        UsageError: there is none, or its version cannot be told.
    """
    links = below.links()
    for folder in search:
        for name in ("python3", "python"):
            place = layers.canonical(posixpath.join(folder, name), links)
            if place in below.entries:
                return _python(reference, below, Path("/", folder, name), place, links)
    raise UsageError(
        f"The image {reference!r} has no python3 on its search path {':'.join(search)}: add a Python, "
        f"with {' and '.join(NEEDED)}, or say in its PATH where it is."
    )


def _python(reference: str, below: FileSystem, executable: Path, place: str, links: Mapping[str, str]) -> Python:
    real = _followed(place, links)
    prefix = posixpath.dirname(posixpath.dirname(place))
    version = _version(real) or _version_of_library(below, prefix)
    if version is None:
        raise UsageError(f"The version of {executable} in the image {reference!r} cannot be told from {real!r}.")
    name = f"python{version[0]}.{version[1]}"
    folders = _site_folders(below, prefix, name)
    sites = [site for site in (layers.canonical(folder, links) for folder in folders) if site in below.entries]
    return Python(
        executable=executable,
        version=version,
        site=sites[0] if sites else folders[0],
        distributions=_distributions(below, sites),
    )


def _site_folders(below: FileSystem, prefix: str, name: str) -> list[str]:
    """Return where this interpreter looks for distributions; Debian's own never looks into ``site-packages``."""
    of_debian = f"{prefix}/lib/python3/dist-packages"
    if of_debian not in below.entries:
        return [f"{prefix}/lib/{name}/site-packages"]
    return [f"{prefix}/local/lib/{name}/dist-packages", of_debian, f"{prefix}/lib/{name}/dist-packages"]


def _followed(place: str, links: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while place in links and place not in seen:
        seen.add(place)
        target = posixpath.normpath(posixpath.join("/", posixpath.dirname(place), links[place]))
        place = layers.canonical(target, links)
    return place


def _version(path: str) -> tuple[int, int] | None:
    found = _VERSIONED.fullmatch(posixpath.basename(path))
    return (int(found["major"]), int(found["minor"])) if found else None


def _version_of_library(below: FileSystem, prefix: str) -> tuple[int, int] | None:
    found = (_version(path) for path in below.entries if posixpath.dirname(path) == f"{prefix}/lib")
    return max((version for version in found if version), default=None)


def _distributions(below: FileSystem, sites: Sequence[str]) -> dict[str, str]:
    found = (
        _DIST_INFO.fullmatch(posixpath.basename(path)) for path in below.entries if posixpath.dirname(path) in sites
    )
    return {normal(one["name"]): one["version"] for one in found if one}


def normal(name: str) -> str:
    """Return a distribution's name as it is compared (packaging.python.org, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _check(reference: str, found: Python) -> None:
    complaint_ = complaint(found, {name: metadata.version(name) for name in NEEDED}, paddock.__version__)
    if complaint_:
        raise UsageError(f"Tests cannot run in the image {reference!r}: {complaint_}")


def complaint(found: Python, here: Mapping[str, str], paddock_version: str) -> str:
    """Return what is wrong with an image's Python, or nothing; ``here`` is what the controller has."""
    if found.version < LOWEST:
        return f"its {found.executable} is Python {'.'.join(map(str, found.version))}, and 3.11 is the lowest."
    for name, version in here.items():
        there = found.distributions.get(name)
        if there != version:
            state = f"has {name} {there}" if there else f"has no {name}"
            return f"its {found.executable} {state}, this environment has {version}: install {name}=={version} there."
    there = found.distributions.get("paddock", paddock_version)
    if there != paddock_version:
        return f"it has paddock {there}, and this environment has {paddock_version}: install that one, or none."
    return ""


def additions(
    found: Python, below: FileSystem, inpod: Mapping[str, bytes], uid: int, roots: Sequence[PurePath]
) -> dict[str, Entry]:
    """Return what Paddock adds to an image: its in-pod half, its fixtures, folders, and a name for the pod's user."""
    added = supervisor.entries(inpod, specs.DEFAULT_UID, Path(), roots)
    added[HOME.strip("/")] = Directory(WRITABLE_MODE)
    for path, line in supervisor.accounts(uid).items():
        text = below.texts.get(path, "")
        if f":{uid}:" not in text:
            added[path] = Content(text.encode() + line.encode())
    return added | ({} if "paddock" in found.distributions else _package(found.site))


def _package(site: str) -> dict[str, Entry]:
    """Return this very Paddock as a distribution: its fixtures are found by their entry point."""
    folder = Path(paddock.__file__).parent
    files: dict[str, Entry] = {f"{site}/paddock/{path.relative_to(folder)}": File(path) for path in _sources()}
    info = f"{site}/paddock-{paddock.__version__}.dist-info"
    about = f"Metadata-Version: 2.1\nName: paddock\nVersion: {paddock.__version__}\n"
    entry_points = "[pytest11]\npaddock = paddock.plugin\n"
    texts = {"METADATA": about, "entry_points.txt": entry_points}
    return files | {f"{info}/{name}": Content(text.encode()) for name, text in texts.items()}


def _sources() -> list[Path]:
    return sorted(Path(paddock.__file__).parent.rglob("*.py"))


def _file_system(crane: Path, reference: str) -> FileSystem:
    entries, texts = dict[str, Entry](), dict[str, str]()
    command = [str(crane), "export", _platform(), reference, "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout  # noqa: S101 - for the type checker: it is a pipe
        with tarfile.open(fileobj=process.stdout, mode="r|") as members:
            for member in members:
                path = member.name.strip("/").removeprefix("./")
                entries[path] = _entry(member)
                if path in _ACCOUNTS and (content := members.extractfile(member)):
                    texts[path] = content.read().decode()
    if process.returncode:
        raise ImageError(f"The layers of the image {reference!r} could not be read to their end.")
    return FileSystem(entries=entries, texts=texts)


def _entry(member: tarfile.TarInfo) -> Entry:
    if member.issym():
        return Link(member.linkname)
    return Directory(member.mode) if member.isdir() else Content(b"", member.mode)


def _platform() -> str:
    """Return the option that chooses one of an image's variants: pods run on machines such as this one."""
    machine = os.uname().machine
    return f"--platform=linux/{release.ARCHITECTURES.get(machine, machine)}"


def _crane(crane: Path, reference: str, *arguments: str) -> str:
    try:
        command = [str(crane), _platform(), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"Reading the image {reference!r} took longer than {_SECONDS} s and was ended.") from error
    if done.returncode:
        raise ImageError(f"The image {reference!r} cannot be used: {registry.reason(done.stderr)}")
    return done.stdout
