"""Images without a Dockerfile: worker, broker and database, made from this machine and kept in a registry.

:func:`ensure` is all that other layers call. This package must not know clusters, pods or pytest.
The names are imported when they are first used: the package stands on the start path of every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.images.assembly import ensure as ensure
    from paddock.images.assembly import expected as expected
    from paddock.images.assembly import missing as missing
    from paddock.images.environment import Environment as Environment

__all__ = ["Environment", "ensure", "expected", "missing"]

_HOMES = {"ensure": "assembly", "expected": "assembly", "missing": "assembly", "Environment": "environment"}


def __getattr__(name: str) -> object:
    """Import a public name from the module that owns it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only paid when a name is used

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
