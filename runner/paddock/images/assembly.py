"""Makes sure that the images of this machine's environment are in a registry.

Owns the order of things and the keys: what is looked at first (nothing but keys and the registry), what is made when
something is missing, and which layers make which image. How layers are made is known further down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock import specs
from paddock.images import environment as environments
from paddock.images import fingerprint, recipes, release
from paddock.images import registry as registries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path, PurePath

    from paddock.images.environment import Environment

RECIPE = "1"
"""Changes whenever the code of this package would make something else of the same input."""
PACKAGES_RECIPE = "2"
"""The same for installed distributions and their bytecode."""
UPPER_RECIPE = "2"
"""The same for the small layers on top: in-pod half, start scripts and folders."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The content keys of all layers and images."""

    distribution: str
    """Base, broker and database packages."""
    broker: str
    database: str
    interpreter: str
    packages: str
    worker: str


def ensure(
    registry: str,
    *,
    crane: Callable[[], Path],
    inpod: Mapping[str, bytes],
    uid: int,
    report: Callable[[str], None],
    roots: Sequence[PurePath] = (),
    cache: Path | None = None,
) -> tuple[specs.Images, specs.PythonEnvironment]:
    """Return the references of the three images, after making and pushing those that the registry does not have.

    When nothing has changed this reads the records of the installed distributions, asks the registry three short
    questions and does nothing else.

    Args:
        registry: Host and port of a registry that speaks plain HTTP, such as ``localhost:5055``.
        crane: Finds the image client that pushes; asked only when there is something to push.
        inpod: Files of the in-pod half by path below ``/opt/paddock/lib``.
        uid: Number of the user that worker pods run as: it gets a name and a home.
        report: Told in a line what takes more than a second.
        roots: Folders that will hold sources in the pods; made in the worker image for their user to write.
        cache: Folder of layers; :func:`paddock.images.store.folder` by default.

    Raises:
        UsageError: images cannot be made on this machine or by this user; the sentence says what to do.
        ImageError: making or pushing failed, or the registry does not answer.
    """
    running = environments.Environment.current()
    base = release.current()
    keys = keys_of(running, base, inpod, uid, roots)
    images = references(registry, keys)
    if registries.missing(registry, (images.worker, images.broker, images.database)):
        from paddock.images import making, store  # noqa: PLC0415 - the usual run makes nothing

        maker = making.Maker(
            store=store.Store(cache or store.folder()), keys=keys, release=base, environment=running,
            uid=uid, inpod=inpod, roots=roots, report=report,
        )  # fmt: skip
        maker.publish(registry, images, crane())
    return images, running.in_pod()


def keys_of(
    running: Environment,
    base: release.Release,
    inpod: Mapping[str, bytes],
    uid: int,
    roots: Sequence[PurePath] = (),
) -> Keys:
    """Return the keys of everything that is made of these."""
    named = recipes.packages().read_bytes()
    distribution = fingerprint.key_of("distribution", RECIPE, base.distribution, base.codename, base.machine, named)
    interpreter = fingerprint.key_of(RECIPE, distribution, fingerprint.interpreter(running))
    packages = fingerprint.key_of(PACKAGES_RECIPE, interpreter, fingerprint.packages(running))
    return Keys(
        distribution=distribution,
        broker=fingerprint.key_of("broker", UPPER_RECIPE, distribution, *_parts(recipes.service("broker"))),
        database=fingerprint.key_of("database", UPPER_RECIPE, distribution, *_parts(recipes.service("database"))),
        interpreter=interpreter,
        packages=packages,
        worker=fingerprint.key_of(
            "worker", UPPER_RECIPE, packages, str(uid), "\0".join(map(str, roots)), *_parts(inpod)
        ),
    )


def _parts(files: Mapping[str, bytes]) -> list[str | bytes]:
    return [part for name, data in sorted(files.items()) for part in (name, data)]


def references(registry: str, keys: Keys) -> specs.Images:
    """Return where the images of ``keys`` lie in a registry."""
    name = f"{registry}/paddock"
    return specs.Images(
        worker=f"{name}/worker:{keys.worker}",
        broker=f"{name}/broker:{keys.broker}",
        database=f"{name}/database:{keys.database}",
    )
