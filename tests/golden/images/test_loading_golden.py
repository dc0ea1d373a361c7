"""The commands that bring images to local clusters.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from paddock.images import loading

CONTEXTS = ("kind-kind", "kind-of-blue", "k3d-k3s-default", "minikube")


def test_local_clusters_load_images_by_their_own_commands() -> None:
    """One line for each kind of context: what would be run."""
    made = "".join(
        f"{context}: {shlex.join(loading.command(context, Path('/srv/images.tar')))}\n" for context in CONTEXTS
    )
    golden = Path(__file__).with_name("loading.golden.txt")
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")
