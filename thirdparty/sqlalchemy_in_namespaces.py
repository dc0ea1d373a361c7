"""Fits SQLAlchemy's own test plugin to workers with a database server each; its tests stay as they are.

With xdist its plugin makes a database for every worker from the controller, on a server that all of them share. Here
the controller has no server: it is given none, and each worker makes its database on its own server.
"""

from __future__ import annotations

import pytest

SCHEMAS = ("test_schema", "test_schema_2")
EXTENSIONS = ("hstore", "citext", "btree_gist")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Run before SQLAlchemy's plugin looks at its options."""
    given, in_namespaces = getattr(config, "workerinput", None), bool(config.getoption("--paddock"))
    if in_namespaces and given is None:
        config.option.dburi = None
    elif in_namespaces and given:
        prepare(config.option.dburi[0], given["follower_ident"])
    elif given is None:
        prepare(config.option.dburi[0])


def prepare(url: str, copy: str = "") -> None:
    """Put into a database what README.unittests.rst asks for, and make a copy of it as SQLAlchemy's plugin would."""
    import psycopg  # noqa: PLC0415 - a controller need not have it

    from paddock.fixtures.services import await_service  # noqa: PLC0415 - as above

    if copy:
        await_service("database")
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        for schema in SCHEMAS:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for extension in EXTENSIONS:
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        name = connection.info.dbname
    if copy:
        with psycopg.connect(url.replace("+psycopg", "", 1), dbname="template1", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
