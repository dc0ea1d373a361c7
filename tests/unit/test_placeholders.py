"""Placeholders: which there are, how mistakes are told, and what a worker makes of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import UsageError
from paddock.plugin import remote
from paddock.services import broker, database, placeholders
from paddock.services.environment import to_environment

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {name: f"<{name}>" for name in placeholders.VARIABLES}


def here() -> str:
    """Return where the text under test was written."""
    return "The option --dsn"


def test_every_placeholder_of_a_service_is_a_fact_that_engines_give() -> None:
    """No placeholder names a variable that nobody sets."""
    secret = {"USERNAME": "u", "PASSWORD": "p", "DATABASE": "d"}
    given_by_engines = to_environment(broker.facts(secret)) | to_environment(database.facts(secret))
    of_services = {name: v for name, v in placeholders.VARIABLES.items() if name.startswith(("broker.", "database."))}
    assert set(of_services.values()) <= given_by_engines.keys()
    assert {"database.name", "database.user", "database.url", "broker.port"} <= of_services.keys()


def test_urls_hold_credentials_that_need_quoting() -> None:
    """A password with a slash or an at sign does not end the host."""
    facts = to_environment(database.facts({"USERNAME": "a@b", "PASSWORD": "p/w d", "DATABASE": "d"}))
    assert facts["PADDOCK_DATABASE_URL"] == "postgresql://a%40b:p%2Fw%20d@database:5432/d"


@pytest.mark.parametrize(
    ("text", "names", "result"),
    [
        ("host={database.host} port={database.port}", {"database.host", "database.port"}, None),
        ("{{database.host}}", set(), "{database.host}"),
        ('{"a": {"b": 1}}', set(), '{"a": {"b": 1}}'),
        ("{{worker.id}", {"worker.id"}, "{<worker.id>"),
        ("tests/test_a.py::test_b[{no.such}-{database.host}]", set(), "as it is"),
        ("plain {0} {}", set(), "plain {0} {}"),
    ],
)
def test_what_is_a_placeholder_and_what_is_not(text: str, names: set[str], result: str | None) -> None:
    """Braces with another meaning, and ids of tests, are left alone; double braces stand for single ones."""
    assert placeholders.used(text, here) == names
    expected = {None: "host=<database.host> port=<database.port>", "as it is": text}.get(result, result)
    assert remote.substituted(text, VALUES) == expected


@given(st.text(alphabet="{}.adb_1 :[]", max_size=30))
def test_what_is_found_is_what_is_replaced(text: str) -> None:
    """The controller's look and the worker's replacement, which cannot share code, agree on every text."""
    assert remote._PLACEHOLDER.pattern == placeholders.PATTERN.pattern
    assert remote._NODE_ID.pattern == placeholders.NODE_ID.pattern
    try:
        names = placeholders.used(text, here)
    except UsageError:
        return
    changed = remote.substituted(text, VALUES)
    assert all(f"<{name}>" in changed for name in names)


def test_an_unknown_placeholder_is_told_with_the_nearest() -> None:
    """A slip of the pen is one sentence that ends in the remedy."""
    with pytest.raises(UsageError) as caught:
        placeholders.used("{databse.host}", here)
    assert str(caught.value) == (
        "The option --dsn has the unknown placeholder {databse.host}. Did you mean {database.host}? "
        "Write {{databse.host}} for the text itself."
    )


def test_a_template_has_no_other_use_for_braces() -> None:
    """A name without its service is a mistake in [tool.paddock.env], and none in an argument."""
    assert placeholders.used("{database}", here) == set()
    with pytest.raises(UsageError, match=r"unknown placeholder \{database\}"):
        placeholders.used_in_template("{database}", here)


def test_the_services_behind_placeholders_are_known() -> None:
    """These are waited for before the first test; a worker's own name needs no service."""
    assert placeholders.services({"database.host", "worker.id"}) == ["database"]
    assert placeholders.services({"worker.id"}) == []


def test_a_worker_is_given_its_variables_and_arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Templates become variables of the process, and arguments hold the values, before pytest reads them."""
    monkeypatch.setenv("PADDOCK_DATABASE_HOST", "database")
    monkeypatch.setenv("THEIRS", "before")
    ours = {
        "directory": "/",
        "cache": None,
        "placeholders": {"database.host": "PADDOCK_DATABASE_HOST"},
        "environment": {"THEIRS": "at {database.host}"},
    }
    monkeypatch.setattr(os, "chdir", lambda _: None)
    options = {"basetemp": str(tmp_path / "x")}
    call: remote.Call = ({"paddock": ours, "workerid": "gw0"}, ["--dsn={database.host}"], options, [])
    _, arguments, _, _ = remote.prepare(call)
    assert arguments == ["--dsn=database"]
    assert os.environ["THEIRS"] == "at database"
