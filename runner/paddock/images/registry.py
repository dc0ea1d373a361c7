"""The registry that images are pushed to: what it has, and pushing what it lacks.

Owns all requests to it: plain HTTP to the node's own, on the loopback address; to any other through the image client,
which knows TLS and credentials. It must not know what images hold.
"""

from __future__ import annotations

import http.client
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paddock.errors import ImageError
from paddock.images.media_types import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_ANSWER_SECONDS = 10
"""An idle registry on the loopback address answers in milliseconds."""
_NOT_THERE = ("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "404 Not Found")
_FAR_SECONDS = 60
"""A registry far away, with its token server: some round trips, each tried anew by the client."""
_REFUSALS = ("UNAUTHORIZED", "DENIED", "401 Unauthorized", "403 Forbidden")
_PUSH_SECONDS = 300
"""A gigabyte of layers takes some ten seconds."""


def missing(registry: str, references: Iterable[str]) -> list[str]:
    """Return those of ``references`` that ``registry`` does not have.

    Raises:
        ImageError: the registry does not answer.
    """
    with _connection(registry) as connection:
        return [reference for reference in references if not _exists(connection, _manifest_path(registry, reference))]


def missing_anywhere(crane: Path, references: Iterable[str]) -> list[str]:
    """Return those of ``references`` that their registry does not have, whichever it is.

    One that refuses to say counts as one that does not have it: some do so for what is not there yet. Pushing then
    tells whether credentials are missing.

    Raises:
        ImageError: a registry does not answer.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for registries that may be far away

    asked = list(references)
    with ThreadPoolExecutor(max_workers=len(asked) or 1) as pool:
        there = pool.map(lambda reference: _has(crane, reference), asked)
        return [reference for reference, is_there in zip(asked, there, strict=True) if not is_there]


def _has(crane: Path, reference: str) -> bool:
    done = _run([str(crane), "digest", reference], f"Asking the registry for {reference}", _FAR_SECONDS)
    if done.returncode and not any(word in done.stderr for word in (*_NOT_THERE, *_REFUSALS)):
        raise ImageError(f"The registry of {reference} cannot be asked: {reason(done.stderr)}")
    return done.returncode == 0


def share(registry: str, digests: Sequence[str], *, repository: str, others: Iterable[str]) -> None:
    """Make layers that one of ``others`` has known in ``repository``, so that they are not sent again."""
    with _connection(registry) as connection:
        for digest in digests:
            source = next((other for other in others if _exists(connection, f"/v2/{other}/blobs/{digest}")), None)
            if source:
                _request(connection, "POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}")


def push(crane: Path, layout: Path, reference: str) -> None:
    """Push the image in the folder ``layout`` as ``reference``; layers that the registry has are not sent.

    The client takes credentials from the configuration of Docker (``~/.docker/config.json`` or ``DOCKER_CONFIG``),
    and speaks plain HTTP to registries on the loopback address and in private networks only.

    Raises:
        ImageError: the push failed; the client's words are quoted.
    """
    done = _run([str(crane), "push", str(layout), reference], f"Pushing {reference}", _PUSH_SECONDS)
    if done.returncode:
        raise ImageError(f"Pushing {reference} failed: {reason(done.stderr)}")


def _run(command: Sequence[str], what: str, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        raise ImageError(f"The image client {command[0]!r} could not be started: {error}.") from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{what} took longer than {seconds} s and was ended.") from error


def reason(said: str) -> str:
    """Return why the image client failed, in its last words; with the remedy where credentials are missing."""
    words = said.strip()[-500:]
    if not any(word in words for word in _REFUSALS):
        return words
    return f"the registry wants other credentials. Log in with `docker login` or `crane auth login`. It said: {words}"


@contextmanager
def _connection(registry: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(registry, timeout=_ANSWER_SECONDS)
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise ImageError(
            f"The image registry at {registry!r} does not answer ({error}). Is the node up?",
        ) from error
    finally:
        connection.close()


def _exists(connection: http.client.HTTPConnection, path: str) -> bool:
    return _request(connection, "HEAD", path) == http.client.OK


def _request(connection: http.client.HTTPConnection, method: str, path: str) -> int:
    connection.request(method, path, headers={"Accept": MANIFEST, "Content-Length": "0"})
    response = connection.getresponse()
    response.read()
    return response.status


def _manifest_path(registry: str, reference: str) -> str:
    repository, tag = reference.removeprefix(f"{registry}/").rsplit(":", 1)
    return f"/v2/{repository}/manifests/{tag}"
