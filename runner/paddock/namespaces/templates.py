"""The YAML of ``k8s/namespace`` as data, read once; whoever completes it copies it first."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import yaml

from paddock.resources import k8s_folder

if TYPE_CHECKING:
    from paddock.cluster.requests import Manifest


@cache
def load(*names: str) -> tuple[Manifest, ...]:
    """Return the objects of the files of these names, in order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = k8s_folder() / "namespace"
    documents = (yaml.load_all((folder / f"{name}.yaml").read_text(), Loader=loader) for name in names)
    return tuple(manifest for group in documents for manifest in group)
