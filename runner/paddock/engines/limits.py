"""The time limits of phases whose work knows none: each with the sentence for when it passes.

Limits of leases and services stand where those are waited for. It must not know what is done within a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from paddock.deadlines import within
from paddock.errors import ImageError, LeaseError, NodeError, PaddockError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def node(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what ``work``, the embedded node's start, returns.

    Raises:
        NodeError: it took longer.
    """
    sentence = "The embedded node did not come up"
    return _within(seconds, work, NodeError, sentence, "Look at 'paddock node logs'", "node")


def images(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what ``work``, the making and pushing of images, returns.

    Raises:
        ImageError: it took longer.
    """
    sentence = "The images were not made and pushed"
    return _within(seconds, work, ImageError, sentence, "Check that packages can be downloaded", "image")


def sources(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what ``work``, the sending and unpacking of sources, returns.

    Raises:
        LeaseError: it took longer.
    """
    sentence = "The sources were not sent and unpacked"
    return _within(seconds, work, LeaseError, sentence, "Ignore in git what tests do not need", "sources")


def _within(
    seconds: float, work: Callable[[], Result], kind: type[PaddockError], sentence: str, remedy: str, phase: str
) -> Result:
    message = f"{sentence} within {seconds:g} s. {remedy}, or allow more with --paddock-{phase}-limit."
    return within(seconds, work, lambda: kind(message))
