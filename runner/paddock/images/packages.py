"""The layers of the installed distributions: a large one made earlier, and what has changed since in a small one.

Compiling every module of an environment takes most of the time of making its layer, so what an earlier layer holds is
compared by content and used again: it stays below, or, when too little of it is still wanted, parts of it are copied.
It must not know what images the layers are for, nor registries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.images import bytecode, fingerprint, increments, layers, libraries, selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.images.environment import Environment
    from paddock.images.layers import Entry
    from paddock.images.store import Layer, Store


@dataclass(frozen=True, kw_only=True)
class PackageLayers:
    """Makes the layers of the distributions of ``environment``, which has the content key ``key``."""

    store: Store
    environment: Environment
    key: str
    family: str
    """Key of interpreter and recipe: bytecode of another family is of no use."""

    def find(self) -> Sequence[Layer]:
        """Return the layers, the first at the bottom, if they are there; else none."""
        if whole := self.store.find(f"packages-{self.key}"):
            return [whole]
        changes = self.store.find(f"changes-{self.key}")
        whole = self.store.find(changes.below) if changes and changes.below else None
        return [whole, changes] if changes and whole else []

    def make(self, below: Mapping[str, Entry]) -> Sequence[Layer]:
        """Make and return the layers, the first at the bottom, to lie on ``below``."""
        name, (earlier_key, earlier, reusable) = self._name(), self._earlier()
        with self.store.work() as work:
            chosen = selection.packages(self.environment)
            selected = increments.taken_over(chosen, earlier)
            compiled = bytecode.entries(selected, self.environment, work, reusable)
            needed = libraries.needed(libraries.extensions(chosen))
            libs = increments.taken_over(libraries.entries(needed, layers.merged((below, selected))), earlier)
            entries = layers.complete({**libs, **selected, **compiled}, below)
            if increments.is_worth_it(entries, earlier):
                changes = increments.on_top(entries, earlier, below)
                self.store.add(f"changes-{self.key}", changes, below=earlier_key)
            else:
                self.store.add(f"packages-{self.key}", entries)
                self.store.note(name, f"packages-{self.key}")
        return self.find()

    def _name(self) -> str:
        return f"{self.family}-{fingerprint.key_of(str(self.environment.prefix))}"

    def _earlier(self) -> tuple[str, Mapping[str, Entry], Mapping[str, Entry]]:
        """Return key and listing of the layer to begin with, and what of it holds reusable bytecode.

        The one made last for this prefix, else the latest of the family: rewritten modules name the path they were
        made for in tracebacks, compiled ones get their path when they are imported.
        """
        noted = self.store.noted(self.family)
        for name in sorted(noted, key=lambda name: name != self._name()):
            if layer := self.store.find(noted[name]):
                own = name == self._name()
                return noted[name], layer.listing, layer.listing if own else bytecode.anywhere(layer.listing)
        return "", {}, {}
