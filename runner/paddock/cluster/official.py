"""The official client, loaded as far as it is used.

Owns how ``kubernetes`` is imported. Its package's ``__init__`` imports configuration loading, the dynamic client,
informers and leader election: 0.65 s of processor time (measured with version 37), two thirds of the time
between Enter and the first namespace. A run on the embedded node needs two modules of it.
The package is therefore put in place without running its ``__init__``; every submodule still loads
on first use, so code that shares this process sees the same names as after a plain import.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE = "kubernetes"


def _place_lazy_package() -> None:
    specification = importlib.util.find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or specification is None:
        return
    package = importlib.util.module_from_spec(specification)
    package.__getattr__ = _attribute  # type: ignore[method-assign]  # PEP 562, set from outside
    sys.modules[_PACKAGE] = package


def _attribute(name: str) -> Any:  # noqa: ANN401 - whatever the real package would hold under that name
    if name == "__version__":
        return importlib.metadata.version(_PACKAGE)
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{_PACKAGE}.{name}":
            raise
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}") from None


def module(name: str) -> ModuleType:
    """Return the official client's module ``kubernetes.<name>``, importing no sibling of it."""
    _place_lazy_package()
    return importlib.import_module(f"{_PACKAGE}.{name}")
