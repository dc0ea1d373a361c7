"""The distribution release of this machine: what the images' base is made of.

Owns the reading of os-release and the refusal of machines whose base cannot be made. It must not run anything.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEDY = "Name an image that holds the interpreter and the distributions of this project in the setting `image`."


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a distribution marks its own package lists."""

    label: str
    """``Origin`` field of its Release files."""
    keyring: Path
    """Keys its lists are signed with."""
    components: frozenset[str]
    """Components that are free to redistribute and hold what the images need."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release of a supported distribution on one architecture."""

    distribution: str
    """``debian`` or ``ubuntu``."""
    codename: str
    machine: str
    """As the kernel names it, such as ``x86_64``."""

    @property
    def origin(self) -> Origin:
        """How the lists of this distribution are recognised."""
        return ORIGINS[self.distribution]

    @property
    def architecture(self) -> str:
        """The OCI and Debian name of the architecture; the two agree where images can be made."""
        return ARCHITECTURES[self.machine]


ORIGINS: Mapping[str, Origin] = {
    "debian": Origin(
        label="Debian",
        keyring=Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
        components=frozenset({"main"}),
    ),
    "ubuntu": Origin(
        label="Ubuntu",
        keyring=Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
        components=frozenset({"main", "universe"}),
    ),
}

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's name of an architecture -> its OCI and Debian name."""


def current() -> Release:
    """Return the release of this machine.

    Raises:
        UsageError: it is not one that images can be made of; the sentence says what to do instead.
    """
    if sys.platform != "linux":
        raise UsageError(
            f"Images are made from the running environment on Linux only, not on {sys.platform!r}. {_REMEDY}"
        )
    return parse(_os_release(), os.uname().machine)


def parse(text: str, machine: str) -> Release:
    """Return the release that an os-release file describes.

    Raises:
        UsageError: the distribution or the architecture is not supported.
    """
    fields = dict(line.split("=", 1) for line in shlex.split(text, comments=True) if "=" in line)
    distribution, codename = fields.get("ID", "linux"), fields.get("VERSION_CODENAME", "")
    if distribution not in ORIGINS or not codename:
        shown = fields.get("PRETTY_NAME", distribution)
        raise UsageError(
            f"The base image is made from a Debian or Ubuntu release, and this machine runs {shown!r}. {_REMEDY}"
        )
    if machine not in ARCHITECTURES:
        raise UsageError(
            f"Images are made on {' and '.join(ARCHITECTURES)}, and this machine is {machine!r}. {_REMEDY}"
        )
    return Release(distribution=distribution, codename=codename, machine=machine)


def _os_release() -> str:
    for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return ""
