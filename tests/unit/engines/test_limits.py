"""Every phase of a run has a limit that holds, with a sentence that names its option."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from paddock.deadlines import within
from paddock.engines import limits, preparation
from paddock.engines.request import RunRequest
from paddock.errors import ImageError, LeaseError, NodeError, PaddockError
from paddock.settings.table import BY_NAME
from paddock.specs import PhaseLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def endless() -> Iterator[Callable[..., None]]:
    """Work that ends with the test, and its thread with it."""
    over = threading.Event()

    def work(*_: object) -> None:
        over.wait(60)

    yield work
    over.set()
    for thread in threading.enumerate():
        if thread.name == "paddock-limited":
            thread.join(5)


@pytest.mark.parametrize(
    ("limit", "kind", "flag"),
    [
        (limits.node, NodeError, "--paddock-node-limit"),
        (limits.images, ImageError, "--paddock-image-limit"),
        (limits.sources, LeaseError, "--paddock-sources-limit"),
    ],
)
def test_what_takes_too_long_ends_with_the_option_that_allows_more(
    limit: Callable[[float, Callable[[], None]], None],
    kind: type[PaddockError],
    flag: str,
    endless: Callable[..., None],
) -> None:
    """Nothing is waited for without end, and the sentence says what to do."""
    with pytest.raises(kind, match=rf"within 0\.05 s\. .* or allow more with {flag}\."):
        limit(0.05, endless)
    assert flag in {option.flag for option in BY_NAME.values()}


def test_work_within_its_limit_is_as_if_there_were_none() -> None:
    """Results and errors come through; an error of the work's own that looks like ours stays the work's."""
    assert within(5, lambda: 3, AssertionError) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, AssertionError)

    def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        within(5, late, AssertionError)


def test_the_images_limit_holds_where_images_are_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endless: Callable[..., None]
) -> None:
    """The option reaches the work: a build without end is ended by it."""
    monkeypatch.setattr(preparation, "_connected", lambda *_: None)
    monkeypatch.setattr(preparation.versions, "require", lambda _: "")  # type: ignore[attr-defined] # imported there
    monkeypatch.setattr(preparation, "_images", endless)
    short = PhaseLimits(image=0.05)
    request = RunRequest(run_id="r", root=tmp_path, working_directory=tmp_path, limits=short)
    with pytest.raises(ImageError, match="--paddock-image-limit"):
        preparation.prepare(request, ["gw0"], print)
