"""Makes the layers that the cache lacks and pushes the images that the registry lacks.

Only imported when something has to be made. It must not decide keys or references.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images import (
    bytecode,
    definitions,
    distribution,
    layers,
    layout,
    libraries,
    packages,
    recipes,
    registry,
    selection,
    shelf,
    supervisor,
    system,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path, PurePath

    from paddock import specs
    from paddock.images.archive import Blob
    from paddock.images.assembly import Keys
    from paddock.images.environment import Environment
    from paddock.images.layers import Entry
    from paddock.images.release import Release
    from paddock.images.store import Layer, Store

_SLOW = frozenset({"interpreter", "system"})
"""Layers that take seconds to make: told when they begin."""
_KEPT_DAYS = 30
"""Days after its last use that a layer stays: longer than a holiday, shorter than a disk takes to fill."""
_WORTH_TELLING = 1.0
"""Seconds above which the time of a step is told."""


def _chosen(images: specs.Images, wanted: Collection[str] | None) -> dict[str, str]:
    """Return reference -> name of the ``wanted`` images, of all if ``None``."""
    named = {getattr(images, name): name for name in shelf.NAMES}
    return {reference: name for reference, name in named.items() if wanted is None or reference in wanted}


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Everything that making needs to know."""

    store: Store
    keys: Keys
    release: Release
    environment: Environment
    uid: int
    inpod: Mapping[str, bytes]
    roots: Sequence[PurePath]
    report: Callable[[str], None]
    choices: specs.ImageChoices

    def publish(self, host: str, images: specs.Images, crane: Path) -> None:
        """Push those of ``images`` that the registry at ``host`` lacks; waits for a run that does the same.

        Raises:
            ImageError: see :func:`paddock.images.assembly.ensure`.
        """
        names = {images.broker: "broker", images.database: "database", images.worker: "worker"}
        with self._working():
            for reference in registry.missing(host, names):  # asked again: another run may just have made them
                image = self.image(names[reference])
                self._share(host, reference, image)
                self._push(reference, image, crane)
            oldest = time.time() - _KEPT_DAYS * 86400
            self.store.prune(oldest, shelf.layers_since(self.store.path, oldest))

    def build(self) -> None:
        """Make all images, without pushing them.

        Raises:
            ImageError: see :func:`paddock.images.assembly.ensure`.
        """
        with self._working():
            for name in shelf.NAMES:
                self.image(name)

    def push(self, images: specs.Images, crane: Path, wanted: Collection[str] | None = None) -> None:
        """Make all images, or the ``wanted`` references among them, and push them to any registry.

        Nothing is asked of it beforehand: it may be foreign.

        Raises:
            ImageError: see :func:`paddock.images.assembly.ensure`.
        """
        with self._working():
            for reference, name in _chosen(images, wanted).items():
                self._push(reference, self.image(name), crane)

    def load(self, images: specs.Images, context: str, wanted: Collection[str] | None = None) -> None:
        """Make all images, or the ``wanted``, and bring them to the nodes of a local cluster by its own command.

        Raises:
            UsageError: see :func:`paddock.images.loading.command`.
            ImageError: see :func:`paddock.images.assembly.ensure`.
        """
        from paddock.images import loading  # noqa: PLC0415 - most clusters pull

        with self._working(), self.store.work() as work:
            made = {reference: self.image(name) for reference, name in _chosen(images, wanted).items()}
            with self._timed(f"loading {', '.join(_chosen(images, wanted).values())} into {context}"):
                loading.load(made, self.store.path, context, work)

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            with self.store.locked(self.report):
                yield
        except OSError as error:
            raise ImageError(f"Making images in {self.store.path} failed: {error}.") from error

    def image(self, name: str) -> layout.Image:
        """Return one of the three images after making its layers."""
        made = {"worker": self.worker, "broker": self.broker, "database": self.database}[name]()
        shelf.note(self.store.path, name, getattr(self.keys, name), made)
        return made

    def _push(self, reference: str, image: layout.Image, crane: Path) -> None:
        with self._timed(f"pushing {reference.rsplit('/', 1)[-1]}"), self.store.work() as work:
            layout.write(image, work / "layout", self.store.path)
            registry.push(crane, work / "layout", reference)

    def worker(self) -> layout.Image:
        """Return the worker image after making its layers."""
        base = self._distribution("base")
        interpreter = self._layer(f"interpreter-{self.keys.interpreter}", lambda work: self._interpreter(base, work))
        packages = self._packages(base, interpreter)
        below = [base, *self._system(base)]
        inside = self._layer(f"supervisor-{self.keys.worker}", lambda _: self._supervisor(below))
        blobs = [layer.blob for layer in (*below, interpreter, *packages, inside)]
        architecture = self.release.architecture
        return definitions.worker(blobs, architecture=architecture, environment=self.environment, uid=self.uid)

    def broker(self) -> layout.Image:
        """Return the broker image after making its layers."""
        blobs = self._service("broker", self.keys.broker, self.choices.broker_configuration)
        return definitions.broker(blobs, architecture=self.release.architecture)

    def database(self) -> layout.Image:
        """Return the database image after making its layers."""
        blobs = self._service("database", self.keys.database, self.choices.database_configuration)
        return definitions.database(blobs, architecture=self.release.architecture)

    def _service(self, name: str, key: str, own: Path | None) -> list[Blob]:
        base, packages = self._distribution("base"), self._distribution(name)
        below = layers.merged((base.listing, packages.listing))
        files = definitions.recipe_files(recipes.service(name, own))
        recipe = self._layer(f"{name}.recipe-{key}", lambda _: layers.complete(files, below))
        return [layer.blob for layer in (base, packages, recipe)]

    def _distribution(self, name: str) -> Layer:
        """Return a layer of packages; if it is not cached all of them are made anew, so that they fit together."""
        found = self.store.find(f"{name}-{self.keys.distribution}")
        return found or self._build_distribution()[name]

    def _build_distribution(self) -> dict[str, Layer]:
        with self._timed("making the base, broker and database layers"), self.store.work() as work:
            version = self.choices.database_version
            made = distribution.build(self.release, recipes.packages(), work, self.report, version)
            above = {"broker": made.broker, "database": made.database}
            built = {name: layers.complete(entries, made.base) for name, entries in above.items()}
            key = self.keys.distribution
            return {
                name: self.store.add(f"{name}-{key}", entries) for name, entries in {"base": made.base, **built}.items()
            }

    def _layer(self, key: str, make: Callable[[Path], Mapping[str, Entry]]) -> Layer:
        """Return the layer of ``key``, made in a folder of its own if it is not in the cache."""
        found = self.store.find(key)
        if found:
            return found
        name = key.split("-", 1)[0]
        with self._timed(f"making the {name} layer") if name in _SLOW else nullcontext(), self.store.work() as work:
            return self.store.add(key, make(work))

    def _interpreter(self, base: Layer, work: Path) -> dict[str, Entry]:
        selected = selection.interpreter(self.environment)
        compiled = bytecode.entries(selected, self.environment, work)
        programs = selection.interpreter_binaries(self.environment)
        needed = libraries.needed((*programs, *libraries.extensions(selected)))
        libs = libraries.entries(needed, layers.merged((base.listing, selected)))
        return layers.complete({**libs, **selected, **compiled}, base.listing)

    def _packages(self, base: Layer, interpreter: Layer) -> Sequence[Layer]:
        maker = packages.PackageLayers(
            store=self.store, environment=self.environment, key=self.keys.packages, family=self.keys.family
        )
        if found := maker.find():
            return found
        with self._timed("making the packages layer"):
            return maker.make(layers.merged((base.listing, interpreter.listing)))

    def _system(self, base: Layer) -> list[Layer]:
        """Return the layer of the packages that the project asks for, if it does."""
        blob = layout.blob_path(self.store.path, base.blob.digest)

        def make(work: Path) -> dict[str, Entry]:
            return layers.complete(system.build(self.release, self.choices.packages, blob, work), base.listing)

        return [self._layer(f"system-{self.keys.system}", make)] if self.choices.packages else []

    def _supervisor(self, below: Sequence[Layer]) -> dict[str, Entry]:
        """Return the uppermost layer; accounts are those of the last layer ``below`` that has any."""
        accounts = next(layer for layer in reversed(below) if set(supervisor.accounts(0)) <= set(layer.listing))
        blob = layout.blob_path(self.store.path, accounts.blob.digest)
        listing = layers.merged(layer.listing for layer in below)
        return layers.complete(supervisor.entries(self.inpod, self.uid, blob, self.roots), listing)

    def _share(self, host: str, reference: str, image: layout.Image) -> None:
        """Let the registry use the layers that it has of another image of ours."""
        repository = reference.removeprefix(f"{host}/").rsplit(":", 1)[0]
        others = sorted({"paddock/broker", "paddock/database", "paddock/worker"} - {repository})
        registry.share(host, [layer.digest for layer in image.layers], repository=repository, others=others)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.monotonic()
        self.report(f"images: {what} …")
        yield
        seconds = time.monotonic() - start
        if seconds > _WORTH_TELLING:
            self.report(f"images: {what}: {seconds:.1f} s")
