"""What an option is: its name in every place where it can be given, and where a value came from.

Pure. It must not know which options there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.settings.kinds import Kind

TABLE = "tool.paddock"


class Source(IntEnum):
    """Where a value came from; the greater one wins."""

    DEFAULT = 0
    PYPROJECT = 1
    ENVIRONMENT = 2
    FLAG = 3


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option, wherever it can be given."""

    name: str
    kind: Kind
    help: str
    default: str | None = None
    """As text, as if it had been typed; ``None`` stands for "not given"."""
    unit: str = ""
    variable: str | None = None
    """Environment variable, where it is not ``PADDOCK_<NAME>``."""
    aliases: tuple[str, ...] = ()
    """Others, read where that one is not set."""
    in_pyproject: bool = True
    table: str = ""
    """The table below ``[tool.paddock]`` that holds the key, where it is not that itself."""

    @property
    def key(self) -> str:
        """The key in pyproject.toml, dotted where it stands in a table of its own."""
        return f"{self.table}.{self.name.removeprefix(f'{self.table}-')}" if self.table else self.name

    @property
    def flag(self) -> str:
        """The option on a command line."""
        return "--paddock" if self.name == "enabled" else f"--paddock-{self.name}"

    @property
    def environment(self) -> str:
        """Name of the environment variable."""
        return self.variable or f"PADDOCK_{self.name.upper().replace('-', '_')}"

    @property
    def destination(self) -> str:
        """The attribute's name among parsed arguments."""
        return self.flag.lstrip("-").replace("-", "_")
