"""Makes sure that the images of this machine's environment are in a registry.

Owns the order of things and the keys: what is looked at first (nothing but keys and the registry), what is made when
something is missing, and which layers make which image. How layers are made is known further down.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paddock import specs
from paddock.images import environment as environments
from paddock.images import fingerprint, places, recipes, release
from paddock.images.destinations import NodeRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path, PurePath

    from paddock.images.destinations import Destination
    from paddock.images.environment import Environment
    from paddock.images.making import Maker

RECIPE = "1"
"""Changes whenever the code of this package would make something else of the same input."""
PACKAGES_RECIPE = "3"
"""The same for installed distributions and their bytecode."""
UPPER_RECIPE = "2"
"""The same for the small layers on top: in-pod half, start scripts and folders."""


_NO_CHOICES = specs.ImageChoices()


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The content keys of all layers and images."""

    distribution: str
    """Base, broker and database packages."""
    broker: str
    database: str
    system: str
    """Debian packages that the project asks for."""
    interpreter: str
    family: str
    """Of package layers that can use one another's parts."""
    packages: str
    worker: str


def ensure(
    to: Destination | str,
    *,
    crane: Callable[[], Path],
    inpod: Mapping[str, bytes],
    uid: int,
    report: Callable[[str], None],
    roots: Sequence[PurePath] = (),
    cache: Path | None = None,
    choices: specs.ImageChoices = _NO_CHOICES,
) -> tuple[specs.Images, specs.PythonEnvironment]:
    """Return the references of the three images, after making and pushing those that the registry does not have.

    When nothing has changed this reads the records of the installed distributions, asks the registry three short
    questions and does nothing else.

    Args:
        to: Where the images go, or the host and port of a registry of ours, such as ``localhost:5055``.
        crane: Finds the image client that pushes; asked only when there is something to push.
        inpod: Files of the in-pod half by path below ``/opt/paddock/lib``.
        uid: Number of the user that worker pods run as: it gets a name and a home.
        report: Told in a line what takes more than a second.
        roots: Folders that will hold sources in the pods; made in the worker image for their user to write.
        cache: Folder of layers; :func:`paddock.images.store.folder` by default.
        choices: What the user wants of the images.

    Raises:
        UsageError: images cannot be made on this machine or by this user; the sentence says what to do.
        ImageError: making or pushing failed, or the registry does not answer.
    """
    running = environments.Environment.current()
    base = release.current()
    keys = keys_of(running, base, inpod, uid, roots, choices)
    to = NodeRegistry(to, crane) if isinstance(to, str) else to
    images, python = below(to.prefix, keys), running.in_pod()
    if choices.worker:
        from paddock.images import own, store  # noqa: PLC0415 - most runs have no image of their own

        mine = own.ensure(
            to, own.demanded(choices), crane=crane(), inpod=inpod, uid=uid, roots=roots,
            store=store.Store(cache or places.folder()), report=report,
        )  # fmt: skip
        images, python = replace(images, worker=mine.reference), mine.python
    if absent := to.missing((images.worker, images.broker, images.database)):
        maker = _maker(
            running, base, keys, inpod=inpod, uid=uid, report=report, roots=roots, cache=cache, choices=choices
        )
        to.bring(maker, images, absent)
    for name, tag in tags(keys).items():
        with suppress(OSError):  # the cache may be gone, or another user's
            os.utime(places.image_record(cache or places.folder(), name, tag))
    return to.in_pods(images), python


def _maker(
    running: Environment, base: release.Release, keys: Keys, *, inpod: Mapping[str, bytes], uid: int,
    report: Callable[[str], None], roots: Sequence[PurePath], cache: Path | None, choices: specs.ImageChoices,
) -> Maker:  # fmt: skip
    from paddock.images import making, store  # noqa: PLC0415 - the usual run makes nothing

    return making.Maker(
        store=store.Store(cache or places.folder()), keys=keys, release=base, environment=running,
        uid=uid, inpod=inpod, roots=roots, report=report, choices=choices,
    )  # fmt: skip


def maker(
    *, inpod: Mapping[str, bytes], uid: int, report: Callable[[str], None], roots: Sequence[PurePath] = (),
    cache: Path | None = None, choices: specs.ImageChoices = _NO_CHOICES,
) -> Maker:  # fmt: skip
    """Return what makes the images of the running environment, for those who do more than :func:`ensure`.

    Raises:
        UsageError: see :func:`ensure`.
    """
    running, base = environments.Environment.current(), release.current()
    keys = keys_of(running, base, inpod, uid, roots, choices)
    return _maker(running, base, keys, inpod=inpod, uid=uid, report=report, roots=roots, cache=cache, choices=choices)


def tags(keys: Keys) -> dict[str, str]:
    """Return the tag of each image by its name."""
    return {"worker": keys.worker, "broker": keys.broker, "database": keys.database}


def expected(
    to: Destination,
    *,
    inpod: Mapping[str, bytes],
    uid: int,
    roots: Sequence[PurePath] = (),
    choices: specs.ImageChoices = _NO_CHOICES,
) -> tuple[specs.Images, specs.PythonEnvironment]:
    """Return what :func:`ensure` would return, and neither ask for anything nor make it.

    Raises:
        UsageError: images cannot be made of this machine; the sentence says what to do.
    """
    running = environments.Environment.current()
    keys = keys_of(running, release.current(), inpod, uid, roots, choices)
    return to.in_pods(below(to.prefix, keys)), running.in_pod()


def missing(
    to: Destination,
    *,
    inpod: Mapping[str, bytes],
    uid: int,
    roots: Sequence[PurePath] = (),
    choices: specs.ImageChoices = _NO_CHOICES,
) -> list[str]:
    """Return the references of those images that :func:`ensure` would have to make; it makes none.

    Raises:
        UsageError: see :func:`expected`.
        ImageError: it cannot be found out.
    """
    running = environments.Environment.current()
    images = below(to.prefix, keys_of(running, release.current(), inpod, uid, roots, choices))
    return to.missing((images.worker, images.broker, images.database))


def keys_of(
    running: Environment,
    base: release.Release,
    inpod: Mapping[str, bytes],
    uid: int,
    roots: Sequence[PurePath] = (),
    choices: specs.ImageChoices = _NO_CHOICES,
) -> Keys:
    """Return the keys of everything that is made of these."""
    named = (base.distribution, base.codename, base.machine, recipes.packages().read_bytes())
    version = (choices.database_version,) if choices.database_version else ()
    distribution = fingerprint.key_of("distribution", RECIPE, *named, *version)
    broker = recipes.service("broker", choices.broker_configuration)
    database = recipes.service("database", choices.database_configuration)
    interpreter = fingerprint.key_of(RECIPE, distribution, fingerprint.interpreter(running))
    packages = fingerprint.key_of(PACKAGES_RECIPE, interpreter, fingerprint.packages(running))
    system = fingerprint.key_of("system", RECIPE, distribution, *sorted(set(choices.packages)))
    worker = (packages, str(uid), "\0".join(map(str, roots)), *_parts(inpod), *((system,) if choices.packages else ()))
    return Keys(
        distribution=distribution,
        broker=fingerprint.key_of("broker", UPPER_RECIPE, distribution, *_parts(broker)),
        database=fingerprint.key_of("database", UPPER_RECIPE, distribution, *_parts(database)),
        system=system,
        interpreter=interpreter,
        family=fingerprint.key_of("family", PACKAGES_RECIPE, interpreter),
        packages=packages,
        worker=fingerprint.key_of("worker", UPPER_RECIPE, *worker),
    )


def _parts(files: Mapping[str, bytes]) -> list[str | bytes]:
    return [part for name, data in sorted(files.items()) for part in (name, data)]


def below(prefix: str, keys: Keys) -> specs.Images:
    """Return the references of the images of ``keys`` below ``prefix``: a registry and a path in it."""
    return specs.Images(**{name: f"{prefix}/{name}:{tag}" for name, tag in tags(keys).items()})
