"""``paddock image``: the images of the environment that runs it, outside of a run.

Owns the arguments and what is printed. How images are made, kept and pushed is known to ``paddock.images``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import UsageError
from paddock.specs import DEFAULT_UID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paddock.images.making import Maker
    from paddock.images.shelf import Stored

_DAY, _HOUR, _MINUTE = 86400, 3600, 60
_SHOWN = 12
"""Digits of a tag in the list: enough to tell images apart."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register ``image`` and its commands."""
    parser = subparsers.add_parser("image", help="list, build, push and prune images", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the project's folder (default: the current one)")
    commands = parser.add_subparsers(dest="image_command", required=True, metavar="COMMAND")
    shown = commands.add_parser("ls", help="list the images; * marks those of this environment")
    shown.add_argument("--json", action="store_true", help="as JSON, with sizes in bytes and times in seconds")
    shown.set_defaults(handler=_ls)
    commands.add_parser("build", help="make the images of this environment").set_defaults(handler=_build)
    pushed = commands.add_parser("push", help="make them and push them to any registry")
    pushed.add_argument("prefix", help="registry and path, such as registry.example.org/team/paddock")
    pushed.set_defaults(handler=_push)
    pruned = commands.add_parser("prune", help="delete images that nobody uses, from the cache and the node's registry")
    pruned.add_argument("--days", type=_days, default=30, help="for how many days unused (default: %(default)s)")
    pruned.set_defaults(handler=_prune)


def _days(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; expected days, a number from zero on")
    return value


def _ls(options: argparse.Namespace) -> int:
    from paddock.images import places, shelf  # noqa: PLC0415 - a wrong command need not wait for it

    images, current = shelf.stored(places.folder()), _current(_maker(options.root))
    if options.json:
        rows = [{**asdict(image), "current": (image.name, image.tag) in current} for image in images]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in table(images, current, time.time()))
    return 0


def table(images: Sequence[Stored], current: set[tuple[str, str]], now: float) -> Iterator[str]:
    """Yield the lines of the list."""
    yield f"  {'IMAGE':<9} {'TAG':<{_SHOWN}} {'SIZE':>8} {'MADE':>6} {'USED':>6}"
    for image in images:
        mark = "*" if (image.name, image.tag) in current else " "
        ages = f"{age(now - image.made):>6} {age(now - image.used):>6}"
        yield f"{mark} {image.name:<9} {image.tag[:_SHOWN]} {megabytes(image.size):>8} {ages}"


def age(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def megabytes(size: int) -> str:
    """Return a size for people, in powers of ten as registries count."""
    return f"{size / 1e6:.0f} MB"


def _build(options: argparse.Namespace) -> int:
    maker = _maker(options.root)
    maker.build()
    sys.stdout.writelines(f"{name}:{tag}\n" for name, tag in sorted(_current(maker)))
    return 0


def _push(options: argparse.Namespace) -> int:
    from paddock import node  # noqa: PLC0415 - only needed here
    from paddock.images import assembly  # noqa: PLC0415 - as above

    if "/" not in options.prefix or "://" in options.prefix:
        raise UsageError(
            f"{options.prefix!r} is no place for images; expected registry and path, such as registry.example.org/team."
        )
    maker = _maker(options.root)
    images = assembly.below(options.prefix.rstrip("/"), maker.keys)
    maker.push(images, node.tool("crane", report=_report))
    sys.stdout.writelines(f"{reference}\n" for reference in (images.worker, images.broker, images.database))
    return 0


def _prune(options: argparse.Namespace) -> int:
    from paddock import node  # noqa: PLC0415 - only needed here
    from paddock.images import shelf  # noqa: PLC0415 - as above
    from paddock.node.places import cache_folder  # noqa: PLC0415 - as above

    maker, program = _maker(options.root), node.tool("registry", report=_report)
    oldest = time.time() - options.days * _DAY
    with maker.store.locked(_report):
        done = shelf.prune(maker.store, cache_folder() / "registry", program, oldest=oldest, kept=_current(maker))
    freed = f"{megabytes(done.cache)} in the cache, {megabytes(done.registry)} in the node's registry"
    sys.stdout.write(f"paddock: {done.images} images deleted; freed {freed}\n")
    return 0


def _maker(root: Path) -> Maker:
    from paddock.images import assembly  # noqa: PLC0415 - a wrong command need not wait for it
    from paddock.settings.resolution import read_pyproject, resolve  # noqa: PLC0415 - as above
    from paddock.workers import inpod_files  # noqa: PLC0415 - as above

    folder = root.resolve()
    choices = resolve({}, os.environ, read_pyproject(folder)).image_choices(folder)
    uid = os.getuid() or DEFAULT_UID
    return assembly.maker(inpod=inpod_files.files(), uid=uid, report=_report, roots=[folder], choices=choices)


def _current(maker: Maker) -> set[tuple[str, str]]:
    from paddock.images import assembly  # noqa: PLC0415 - as above

    return set(assembly.tags(maker.keys).items())


def _report(line: str) -> None:
    sys.stderr.write(f"paddock: {line}\n")
