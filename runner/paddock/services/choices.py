"""What the user chose for the fixtures beside the tests, as a frozen value.

Pure. It must not know what fixtures do with it, nor where it was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

DATABASE_FACTS = ("url", "name", "host", "port", "username", "password")
"""What an environment variable can hold of a test's own database."""


@dataclass(frozen=True, kw_only=True)
class FixtureChoices:
    """What the user wants of the fixtures beside the tests; it travels to the workers as a dict."""

    broker_per_worker: bool = True
    """Whether each worker has a broker of its own; else topics are namespaced on one for all."""
    broker_reset: str = "used"
    """When a broker is cleaned between tests: ``used``, ``always`` or ``never``, see ``broker``."""
    database_schema: str | None = None
    """SQL file or folder, ``package.module:function`` or command that fills a database."""
    database_schema_files: tuple[str, ...] = ()
    """Patterns of the files that the schema consists of, where it does not tell itself."""
    database_extensions: tuple[str, ...] = ()
    database_variables: tuple[tuple[str, str], ...] = ()
    """Environment variable -> one of ``DATABASE_FACTS``, in pairs."""
    sqlite_schema: str | None = None
    duckdb_schema: str | None = None
    safe_executors: bool = False
    worker_port_base: int = 5000
    """First of gw0's hundred ports for what tests start in their own process."""
    service_names: tuple[str, ...] = ()
    """Of the declared services; each is a fixture of its own."""
    hardware_services: tuple[tuple[str, str, int], ...] = ()
    """Those that hold hardware: name, kind of it, and how many of the kind are left to the worker's own pod."""
