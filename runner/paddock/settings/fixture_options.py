"""The options of the fixtures for databases and of the code under test; ``settings.table`` joins them to the others.

They hold with and without ``--paddock``. What becomes of them, ``paddock.fixtures`` knows.
"""

from __future__ import annotations

import re

from paddock.services.choices import DATABASE_FACTS
from paddock.settings.kinds import PATTERNS, PORT, SWITCH, TEXT, VARIABLE, Kind
from paddock.settings.option import Option

_EXTENSION = r"[A-Za-z_][A-Za-z0-9_-]{0,62}"


def _extensions(text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not all(re.fullmatch(_EXTENSION, name) for name in found):
        raise ValueError(text)
    return found


def _variables(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [one.strip().partition("=") for one in text.split(",") if one.strip()]
    if not all(re.fullmatch(VARIABLE, name) and fact in DATABASE_FACTS for name, _, fact in pairs):
        raise ValueError(text)
    return tuple((name, fact) for name, _, fact in pairs)


_EXTENSIONS = Kind(
    expected="names of PostgreSQL's extensions, separated by commas",
    parse=_extensions,
    toml=(list,),
    repeated=True,
    metavar="NAME",
)
_VARIABLES = Kind(
    expected=f"VARIABLE=FACT, separated by commas, with one of the facts {', '.join(DATABASE_FACTS)}",
    parse=_variables,
    toml=(list,),
    repeated=True,
    metavar="VARIABLE=FACT",
)

OPTIONS = (
    Option(
        name="database-schema",
        kind=TEXT,
        table="database",
        help="what fills a test's database: an SQL file or a folder of them, package.module:function, or a command",
    ),
    Option(
        name="database-schema-files",
        kind=PATTERNS,
        default="",
        table="database",
        help="files that a function or a command reads for the schema: while they are unchanged, a template that is "
        "on the server already is used again; may be repeated",
    ),
    Option(
        name="database-extensions",
        kind=_EXTENSIONS,
        default="",
        table="database",
        help="extension that a test's database has; may be repeated",
    ),
    Option(
        name="database-variables",
        kind=_VARIABLES,
        default="",
        table="database",
        help="environment variable that holds a fact of the test's own database while the test runs; may be repeated",
    ),
    Option(
        name="sqlite-schema",
        kind=TEXT,
        table="sqlite",
        help="what fills a test's SQLite file: a database file, an SQL file or a folder of them, "
        "package.module:function, or a command",
    ),
    Option(name="duckdb-schema", kind=TEXT, table="duckdb", help="what fills a test's DuckDB file, as for SQLite"),
    Option(
        name="worker-port-base",
        kind=PORT,
        default="5000",
        help="first of the hundred ports that tests of gw0 get from the fixtures for ports; gw1 has the next hundred, "
        "and a run without workers the one below",
    ),
    Option(
        name="safe-executors",
        kind=SWITCH,
        default="false",
        help="a submission to an executor that has been shut down is recorded and reported, and raises nothing",
    ),
)
