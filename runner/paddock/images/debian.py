"""Package lists and packages of this machine's distribution: which lists are its own, and fetching by ``apt-get``.

Owns all calls of apt. It changes nothing on this machine outside the folder it is given.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paddock.images.release import Release

_SECONDS = 540
"""Installing a base takes half a minute, several on a busy machine with a slow archive."""
_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
_SHARED_SETTING = re.compile(r"^Acquire::(https?|ftp|tor|Retries|Check-|ForceIPv|Queue-Mode|AllowRedirect)")
"""Settings of this machine's apt that the build needs as well: how the archive is reached."""
_NEW_PACKAGE = re.compile(r"^Inst (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """One package list: a component of a suite of an archive."""

    uri: str
    name: str
    component: str
    origin: str = ""
    """As its Release file says; empty while that has not been fetched."""


def run(command: Sequence[str], purpose: str, *, data: str = "", directory: Path | None = None) -> str:
    """Run a system tool and return what it printed.

    Raises:
        ImageError: it is not there, failed or took too long; the end of what it said is quoted.
    """
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            cwd=directory,
        )
    except FileNotFoundError as error:
        raise ImageError(
            f"{purpose} needs the program {command[0]!r}, which is not installed on this machine."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{purpose} took longer than {_SECONDS} s and was ended.") from error
    if done.returncode:
        raise ImageError(f"{purpose} failed: {command[0]} ended with exit code {done.returncode}: {_tail(done)}")
    return done.stdout


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return " / ".join(lines[-6:])[-1200:]


def parse(listed: str) -> list[Suite]:
    """Return the lists that ``apt-get indextargets`` shows, each once."""
    rows = (line.split("|") for line in listed.splitlines())
    suites = (Suite(uri, name, component, "" if "$" in origin else origin) for uri, name, component, origin in rows)
    return list(dict.fromkeys(suites))


def candidates(suites: Iterable[Suite], release: Release) -> list[Suite]:
    """Return those of ``suites`` that can be the distribution's own, by the names of suite and component."""
    names = {
        release.codename,
        f"{release.codename}-updates",
        f"{release.codename}-security",
        f"{release.codename}/updates",
    }
    return [suite for suite in suites if suite.name in names and suite.component in release.origin.components]


def sources(suites: Iterable[Suite], keyring: Path) -> str:
    """Return an apt sources list of ``suites``, trusted by the distribution's own keys only."""
    signed = f"[signed-by={keyring}] " if keyring.is_file() else ""
    return "".join(f"deb {signed}{suite.uri} {suite.name} {suite.component}\n" for suite in suites)


class Archive:
    """The distribution's archive as this machine reaches it, with lists of its own in ``folder``."""

    def __init__(self, release: Release, folder: Path) -> None:
        self._release = release
        self._folder = folder
        self._list = folder / "sources.list"

    def sources(self) -> str:
        """Fetch the lists and return the sources list of the distribution's own suites.

        A list of a third party fails on its signature or is told by its Release file.

        Raises:
            ImageError: none of this machine's lists could be fetched or is the distribution's.
        """
        shown = run(
            ["apt-get", "indextargets", "--no-release-info", "--format", _FORMAT, "Created-By: Packages"],
            "Reading the package sources",
        )
        possible = candidates(parse(shown), self._release)
        self._write(possible)
        said = self._update()
        fetched = parse(
            run(
                [*self._apt(), "indextargets", "--format", _FORMAT, "Created-By: Packages"], "Reading the package lists"
            )
        )
        own = [suite for suite in fetched if suite.origin == self._release.origin.label]
        if not own:
            raise ImageError(
                f"No package list of {self._release.origin.label} {self._release.codename} could be fetched from the "
                f"{len(possible)} sources configured for apt on this machine. `apt-get update` said: {said}",
            )
        return self._write(own)

    def download(self, package: str) -> Path:
        """Fetch and unpack a package, and those it needs that are not installed; returns the folder of their files."""
        folder = self._folder / package
        folder.mkdir()
        simulate = [*self._apt(), "install", "--simulate", "--no-install-recommends", package]
        wanted = new_packages(run(simulate, f"Finding what the package {package} needs"))
        run([*self._apt(), "download", *wanted], f"Fetching the package {package}", directory=folder)
        for file in folder.glob("*.deb"):
            run(["dpkg-deb", "--extract", str(file), str(folder)], f"Unpacking the package {package}")
        return folder

    def names(self) -> set[str]:
        """Return the names of all packages, after :meth:`sources`."""
        _, *options = self._apt()
        return set(run(["apt-cache", *options, "pkgnames"], "Reading the names of all packages").split())

    def installing(self, packages: Sequence[str], root: Path) -> list[str]:
        """Return the command that installs ``packages`` in the folder ``root``, which has a database of its own.

        This machine's own settings of apt, its hooks among them, do not hold there; those of how archives are reached
        do.
        """
        settings = self._folder / "apt.conf"
        nowhere = 'Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\nDir::Etc::preferencesparts "/dev/null";\n'
        settings.write_text(acquire_settings() + nowhere, encoding="utf-8")
        places = {
            "Dir::State::status": root / "var/lib/dpkg/status",
            "Dir::State::extended_states": self._folder / "extended_states",
            "Dir::Cache::archives": root / "var/cache/apt/archives",
            "Dir::Log": root / "var/log/apt",
            "DPkg::Chroot-Directory": root,
            "DPkg::Options::": "--force-unsafe-io",
            "DPkg::Use-Pty": "0",
        }
        environment = ["env", f"APT_CONFIG={settings}", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
        options = [f"-o{name}={value}" for name, value in places.items()]
        return [*environment, *self._apt(), *options, "-y", "--no-install-recommends", "install", *packages]

    def _write(self, suites: Sequence[Suite]) -> str:
        text = sources(suites, self._release.origin.keyring)
        self._list.write_text(text, encoding="utf-8")
        return text

    def _update(self) -> str:
        (self._folder / "lists" / "partial").mkdir(parents=True)
        done = subprocess.run([*self._apt(), "update"], capture_output=True, text=True, timeout=_SECONDS, check=False)
        return _tail(done)

    def _apt(self) -> list[str]:
        places = {
            "Dir::Etc::sourcelist": self._list,
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self._folder / "lists",
        }
        caches = {"Dir::Cache": self._folder, "APT::Sandbox::User": "root"}
        return ["apt-get", "-q", *(f"-o{name}={value}" for name, value in {**places, **caches}.items())]


def new_packages(simulated: str) -> list[str]:
    """Return the packages that ``apt-get install --simulate`` would install."""
    return _NEW_PACKAGE.findall(simulated)


def perl_path(folder: Path) -> str:
    """Return the PERL5LIB of packages unpacked in ``folder``: a bare Debian's perl has only the few modules of dpkg."""
    patterns = ("usr/share/perl5", "usr/share/perl/*", "usr/lib/*/perl5/*", "usr/lib/*/perl/*")
    return ":".join(str(path) for pattern in patterns for path in sorted(folder.glob(pattern)))


def acquire_settings() -> str:
    """Return this machine's apt settings of how archives are reached, proxies among them."""
    shown = run(["apt-config", "dump", "--no-empty", "Acquire"], "Reading the settings of apt")
    return "".join(f"{line}\n" for line in shown.splitlines() if _SHARED_SETTING.match(line))


def program(name: str) -> Path | None:
    """Return the path of an installed program, or None."""
    found = shutil.which(name)
    return Path(found) if found else None
