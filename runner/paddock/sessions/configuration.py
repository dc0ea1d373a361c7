"""What a project says about its sessions: ``[tool.paddock.sessions]`` and the keywords of ``register``.

Pure but for reading ``pyproject.toml``. It must not know nox.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from paddock.errors import UsageError
from paddock.settings import pyproject
from paddock.settings.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_WORKERS = 4
_KEY = "sessions"
_TABLE = f"[tool.paddock.{_KEY}]"


@dataclass(frozen=True, kw_only=True)
class SessionConfiguration:
    """The choices of a project; every field is a key of ``[tool.paddock.sessions]`` and a keyword of ``register``."""

    install: tuple[str, ...] = ()
    """Arguments of ``pip install``; empty means what ``default_install`` finds in the project."""
    pythons: tuple[str, ...] = ()
    """Python versions, a session for each; empty means the Python that runs nox."""
    arguments: tuple[str, ...] = ()
    """Arguments of pytest, before those behind ``--`` on nox's command line."""
    workers: int = DEFAULT_WORKERS
    """Workers, and so namespaces, of the session ``parallel``; ``-- -n 8`` wins over it."""
    folder: str = "."
    """Where pytest is started, relative to the noxfile."""

    @classmethod
    def load(cls, project: Path, given: Mapping[str, object]) -> SessionConfiguration:
        """Merge defaults, the project's table and the keywords that were ``given`` (those that are not ``None``).

        Raises:
            UsageError: a key is unknown or a value has the wrong type.
        """
        document = pyproject.read(project)
        table = _table(document)
        values = {**table, **{key: value for key, value in given.items() if value is not None}}
        places = {key: f"{_TABLE} of {document.place(_KEY, key)}" for key in table if given.get(key) is None}
        merged = cls(**{key: _checked(key, value, places.get(key, "the noxfile")) for key, value in values.items()})
        return merged if merged.install else cls(**{**vars(merged), "install": default_install(project)})


def default_install(project: Path) -> tuple[str, ...]:
    """Return what to install where nothing is configured: the project itself, and its ``requirements.txt``."""
    package = ("-e", ".") if "project" in _toml(project / "pyproject.toml") or (project / "setup.py").exists() else ()
    requirements = ("-r", "requirements.txt") if (project / "requirements.txt").exists() else ()
    return package + requirements


def _table(document: pyproject.Pyproject) -> dict[str, Any]:
    table = document.get(_KEY, {})
    if not isinstance(table, dict):
        raise UsageError(f"{_TABLE} of {document.place(_KEY)} is {shown(table)}, but it must be a table of keys.")
    return table


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}. Correct it, then run nox again.") from None


def _checked(key: str, value: object, place: str) -> Any:  # noqa: ANN401 - str, int or a tuple of str, as the field says
    checks = {"workers": _count, "folder": _text}
    known = [field.name for field in fields(SessionConfiguration)]
    if key not in known:
        near = get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
        raise UsageError(f"{place} has the unknown key {key!r}. {hint}")
    return checks.get(key, _texts)(f"{key!r} in {place}", value)


def _count(what: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise UsageError(f"{what} is {shown(value)}, but it must be a whole number above 0, such as 4.")


def _text(what: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise UsageError(f"{what} is {shown(value)}, but it must be a string.")


def _texts(what: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f'{what} is {shown(value)}, but it must be a list of strings, such as ["-e", "."].')
