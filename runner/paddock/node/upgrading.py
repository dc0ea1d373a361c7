"""What becomes of a node that lives and is made of something else than is wanted now: a table, and its execution.

An upgrade replaces the components under living pods; it must not touch etcd's data, keys or pods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from paddock.node import building, pause_image, pins, pki, preparing, recipes
from paddock.node.layout import from_json
from paddock.node.places import LAYOUT_FILE
from paddock.node.statuses import read_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.node.layout import NodeLayout
    from paddock.node.pins import Pin
    from paddock.node.supply import Supply

_LET_GO = 10.0  # seconds for a killed component to be gone


class Course(Enum):
    """What is done with the node."""

    KEEP = "keep"
    """It is what is wanted."""
    UPGRADE = "upgrade"
    """Its components are replaced; objects, keys and pods stay."""
    ANEW = "anew"
    """It is removed and another one made: objects and pods go."""


@dataclass(frozen=True)
class Verdict:
    """A course and the reason for it, a clause fit for the user's eyes."""

    course: Course
    why: str = ""


def verdict(running: Pin | None, wanted: Pin, *, keys_fit: bool) -> Verdict:
    """Return what is to be done with a node; each rule stands for the data that would not survive it."""
    if running is None:
        return Verdict(Course.ANEW, "an earlier version of Paddock made it and did not note what it runs")
    if running == wanted:
        return Verdict(Course.KEEP)
    for program, version in wanted.versions.items():
        if why := _refusal(program, running.versions.get(program, "0.0"), version):
            return Verdict(Course.ANEW, why)
    if not keys_fit:
        return Verdict(Course.ANEW, "its certificates are about to expire or name other addresses")
    return Verdict(Course.UPGRADE, _change(running, wanted))


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a node is made of, and what `up` would do about it."""

    kubernetes: str
    """Its version; empty when nobody noted it."""
    course: str
    why: str

    @property
    def sentence(self) -> str:
        """What to tell the user; nothing when the node is what is wanted."""
        verb = {Course.UPGRADE.value: "upgrades it", Course.ANEW.value: "makes it anew"}.get(self.course)
        return f"It is not what this version of Paddock makes; `paddock node up` {verb}: {self.why}." if verb else ""


def outlook(supply: Supply) -> Outlook | None:
    """Return the outlook of the node that lives here; none when its layout cannot be read."""
    try:
        layout = from_json(LAYOUT_FILE.read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found, running = of_running(layout, supply), pins.read()
    return Outlook(kubernetes=running.kubernetes if running else "", course=found.course.value, why=found.why)


def of_running(layout: NodeLayout, supply: Supply) -> Verdict:
    """Return what `up` with this supply would do with the node that lives here; nothing is built for it."""
    names = pki.identities(node=layout.name, address=layout.address, service_address=layout.kubernetes_service)
    return verdict(pins.read(), pins.wanted(layout, pins.settled(supply)), keys_fit=pki.fit(layout.keys, names))


def upgrade(layout: NodeLayout, supply: Supply, report: Callable[[str], None]) -> NodeLayout:
    """Replace the programs and the configuration of a node that lives, and return its new layout.

    Everything that can fail without the node is done first: it is stopped only when its programs are there.

    Raises:
        NodeError: a program could not be built or fetched; the node goes on as it was.
    """
    binaries = building.build_all(report, supply)
    image = pause_image.reference(layout.registry, building.build(recipes.PAUSE, report, supply) / "pause")
    upgraded = replace(layout, binaries=binaries, pause_image=image)
    _stop_components()
    preparing.rewrite(upgraded)
    pins.note(pins.wanted(upgraded, supply))
    return upgraded


def _stop_components() -> None:
    """Kill the supervisor, so that it restarts nothing, then those first that need others; pods live on."""
    status = read_status()
    for process in [status.supervisor, *(each.process for each in reversed(status.components))]:
        if process is not None:
            process.kill()
            process.wait(_LET_GO)


def _refusal(program: str, running: str, wanted: str) -> str:
    """Return why a program would not take over the data of another version of it: at most one minor version up."""
    (old_major, old), (major, new) = _minor(running), _minor(wanted)
    if (major, new) < (old_major, old):
        return f"{program} {wanted} does not read the data of {running}, which is newer"
    if major != old_major or new > old + 1:
        return f"{program} does not skip minor versions, and {wanted} is more than one after {running}"
    return ""


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _change(running: Pin, wanted: Pin) -> str:
    changed = [
        f"{program} {running.versions[program]} becomes {version}"
        for program, version in wanted.versions.items()
        if running.versions[program] != version
    ]
    return ", ".join(changed) or "its programs or their configuration have changed"
