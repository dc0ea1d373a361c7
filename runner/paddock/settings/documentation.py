"""docs/options.md, made from the table: ``python -m paddock.settings.documentation > docs/options.md``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from paddock.settings.table import OPTIONS

if TYPE_CHECKING:
    from paddock.settings.table import Option

_HEAD = """\
# Options

Made from `runner/paddock/settings/table.py` by `python -m paddock.settings.documentation`; a unit test keeps it fresh.
A flag wins over the environment, the environment over `[tool.paddock]` in pyproject.toml.
Write `--paddock-kubeconfig=PATH` in one word: pytest takes a path that stands alone for a place of tests.

| Flag | Environment | pyproject key | Default | Meaning |
| --- | --- | --- | --- | --- |"""


def documentation() -> str:
    """Return docs/options.md, made from the table."""
    return "\n".join([_HEAD, *map(_row, OPTIONS), ""])


def _row(option: Option) -> str:
    value = f"={option.kind.metavar}" if option.kind.metavar else ""
    flag = f"{option.flag}{value}".replace("|", "\\|")
    key = f"`{option.key}`" if option.in_pyproject else ""
    default = f"`{option.default}`" if option.default else ""
    return f"| `{flag}` | `{option.environment}` | {key} | {default}{' s' if option.unit else ''} | {option.help} |"


if __name__ == "__main__":
    sys.stdout.write(documentation())
