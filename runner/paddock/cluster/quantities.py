"""Kubernetes quantities as numbers: ``100m`` of a processor, ``512Mi`` of memory.

Owns how the official client's parser is loaded: the package that it lies in would import the whole client with it.
"""

from __future__ import annotations

import runpy
from functools import cache
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def number(quantity: object) -> float:
    """Return a quantity in its unit: cores, bytes or pieces.

    Raises:
        ValueError: it is none.
    """
    return float(_parser()(quantity))


@cache
def _parser() -> Callable[[object], Any]:
    place = distribution("kubernetes").locate_file("kubernetes/utils/quantity.py")
    parse: Callable[[object], Any] = runpy.run_path(str(place))["parse_quantity"]
    return parse
