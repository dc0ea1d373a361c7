"""Credentials never reach what is printed."""

from __future__ import annotations

import base64
from typing import Any

from paddock.errors import NotAllowed
from paddock.namespaces.masking import mask, masked, open_entries, secrets_of

PASSWORD = "correct-horse"  # noqa: S105 - one to be masked


def encoded(**entries: str) -> dict[str, str]:
    return {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}


class Cluster:
    """Holds one Secret, or refuses to show it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses

    def list_objects(self, *_: object, **__: object) -> list[dict[str, Any]]:
        """Return the Secret."""
        return [self.send()]

    def send(self, *_: object) -> dict[str, Any]:
        """Return the Secret."""
        if self.refuses:
            raise NotAllowed("forbidden", status=403)
        return {"kind": "Secret", "data": encoded(USERNAME="postgres", PASSWORD=PASSWORD, PIN="1234")}


def test_only_a_secrets_secret_entries_are_masked() -> None:
    """Names stay, other objects stay, and the object that is made keeps what it needs."""
    secret = {"kind": "Secret", "stringData": {"USERNAME": "postgres", "PASSWORD": PASSWORD, "TOKEN": "t"}}
    assert masked(secret)["stringData"] == {"USERNAME": "postgres", "PASSWORD": "***", "TOKEN": "***"}
    assert secret["stringData"] == {"USERNAME": "postgres", "PASSWORD": PASSWORD, "TOKEN": "t"}
    other = {"kind": "ConfigMap", "data": {"PASSWORD": "no"}}
    assert masked(other) is other


def test_a_log_loses_the_passwords_of_its_namespace() -> None:
    """Whatever a test prints; short values are found in innocent text and stay."""
    secrets = secrets_of(Cluster(), "n")  # type: ignore[arg-type] # the part of it that is used
    assert mask(f"connecting with {PASSWORD} to 1234", secrets) == "connecting with *** to 1234"


def test_secrets_that_may_not_be_read_keep_nobody_from_looking() -> None:
    """An account without the right sees logs all the same, and no user name."""
    closed: Any = Cluster(refuses=True)
    assert (secrets_of(closed, "n"), open_entries(closed, "n", "database")) == (set(), {})


def test_a_user_name_is_no_secret() -> None:
    """What a person needs to log in, but the password."""
    assert open_entries(Cluster(), "n", "database") == {"USERNAME": "postgres"}  # type: ignore[arg-type] # as above
