"""What workers are told about placeholders, checked before anything is created.

Owns where placeholders may stand: the options of this run, and the templates of ``[tool.paddock.env]``.
Values reach only the workers; here, and in everything that this process prints, stand the names.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from paddock.errors import UsageError
from paddock.services import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def told(config: pytest.Config, templates: Mapping[str, str], known: Mapping[str, str]) -> dict[str, object]:
    """Return the part of a worker's input that is about placeholders, see ``remote.KEY``; ``known`` are all of them.

    Raises:
        pytest.UsageError: an option holds a placeholder that does not exist.
    """
    try:
        found = (placeholders.used(text, partial(_place, option), known) for option, text in _texts(config))
        names = set().union(*found)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    for text in templates.values():
        names |= placeholders.used(text, str, known)
    return {
        "placeholders": dict(known),
        "environment": dict(templates),
        "services": placeholders.services(names),
    }


def plain(templates: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without placeholders: they need no worker, and are there when its process starts."""
    return {name: text for name, text in templates.items() if not placeholders.PATTERN.search(text)}


def _texts(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """Yield each option's name and its texts, wherever they were given."""
    for name, value in vars(config.option).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield name, one


def _place(option: str) -> str:
    return "An argument" if option == "file_or_dir" else f"The option --{option.replace('_', '-')}"
