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
    recipes,
    registry,
    selection,
    supervisor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path, PurePath

    from paddock import specs
    from paddock.images.archive import Blob
    from paddock.images.assembly import Keys
    from paddock.images.environment import Environment
    from paddock.images.layers import Entry
    from paddock.images.release import Release
    from paddock.images.store import Layer, Store

_SLOW = frozenset({"interpreter", "packages"})
"""Layers that take seconds to make: told when they begin."""
_WORTH_TELLING = 1.0
"""Seconds above which the time of a step is told."""


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

    def publish(self, host: str, images: specs.Images, crane: Path) -> None:
        """Push those of ``images`` that the registry at ``host`` lacks; waits for a run that does the same.

        Raises:
            ImageError: see :func:`paddock.images.assembly.ensure`.
        """
        makers = {images.broker: self.broker, images.database: self.database, images.worker: self.worker}
        try:
            with self.store.locked(self.report):
                for reference in registry.missing(host, makers):  # asked again: another run may just have made them
                    self._push(host, reference, makers[reference](), crane)
                self.store.prune()
        except OSError as error:
            raise ImageError(f"Making images in {self.store.path} failed: {error}.") from error

    def _push(self, host: str, reference: str, image: layout.Image, crane: Path) -> None:
        with self._timed(f"pushing {reference.rsplit('/', 1)[-1]}"), self.store.work() as work:
            layout.write(image, work / "layout", self.store.path)
            self._share(host, reference, image)
            registry.push(crane, work / "layout", reference)

    def worker(self) -> layout.Image:
        """Return the worker image after making its layers."""
        base = self._distribution("base")
        interpreter = self._layer(f"interpreter-{self.keys.interpreter}", lambda work: self._interpreter(base, work))
        packages = self._layer(f"packages-{self.keys.packages}", lambda work: self._packages(base, interpreter, work))
        inside = self._layer(f"supervisor-{self.keys.worker}", lambda _: self._supervisor(base))
        blobs = [layer.blob for layer in (base, interpreter, packages, inside)]
        architecture = self.release.architecture
        return definitions.worker(blobs, architecture=architecture, environment=self.environment, uid=self.uid)

    def broker(self) -> layout.Image:
        """Return the broker image after making its layers."""
        return definitions.broker(self._service("broker", self.keys.broker), architecture=self.release.architecture)

    def database(self) -> layout.Image:
        """Return the database image after making its layers."""
        return definitions.database(
            self._service("database", self.keys.database), architecture=self.release.architecture
        )

    def _service(self, name: str, key: str) -> list[Blob]:
        base, packages = self._distribution("base"), self._distribution(name)
        below = layers.merged((base.listing, packages.listing))
        files = definitions.recipe_files(recipes.service(name))
        recipe = self._layer(f"{name}.recipe-{key}", lambda _: layers.complete(files, below))
        return [layer.blob for layer in (base, packages, recipe)]

    def _distribution(self, name: str) -> Layer:
        """Return a layer of packages; if it is not cached all of them are made anew, so that they fit together."""
        found = self.store.find(f"{name}-{self.keys.distribution}")
        return found or self._build_distribution()[name]

    def _build_distribution(self) -> dict[str, Layer]:
        with self._timed("making the base, broker and database layers"), self.store.work() as work:
            made = distribution.build(self.release, recipes.packages(), work, self.report)
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
        return self._finished(selected, base.listing, selection.interpreter_binaries(self.environment), work)

    def _packages(self, base: Layer, interpreter: Layer, work: Path) -> dict[str, Entry]:
        below = layers.merged((base.listing, interpreter.listing))
        return self._finished(selection.packages(self.environment), below, (), work)

    def _finished(
        self, selected: Mapping[str, Entry], below: Mapping[str, Entry], programs: Sequence[Path], work: Path,
    ) -> dict[str, Entry]:  # fmt: skip
        """Return ``selected`` with bytecode and with the libraries that ``below`` does not have."""
        compiled = bytecode.entries(selected, self.environment, work)
        needed = libraries.needed((*programs, *libraries.extensions(selected)))
        libs = libraries.entries(needed, layers.merged((below, selected)))
        return layers.complete({**libs, **selected, **compiled}, below)

    def _supervisor(self, base: Layer) -> dict[str, Entry]:
        blob = layout.blob_path(self.store.path, base.blob.digest)
        return layers.complete(supervisor.entries(self.inpod, self.uid, blob, self.roots), base.listing)

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
