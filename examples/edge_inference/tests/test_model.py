"""The network by itself: plain tests, for any worker."""

import pytest
from edge_inference.model import KERNELS, LABELS, classify, convolved, features, softmax
from edge_inference.pictures import SIZE, Picture, PictureError, drawn

EVEN = Picture(((100,) * SIZE,) * SIZE)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("label", LABELS)
def test_a_picture_is_known_for_what_it_shows(label: str, seed: int) -> None:
    """Whatever its noise is."""
    verdict = classify(drawn(label, seed))
    assert (verdict.label, verdict.confidence > 0.5) == (label, True)


def test_a_kernel_slides_over_all_but_the_margin() -> None:
    """Each place is the sum of products."""
    assert convolved([[1, 2, 3], [4, 5, 6]], [[1, 0], [0, 2]]) == [[11, 14]]


@pytest.mark.parametrize("kernel", KERNELS[1:], ids=["across", "along"])
def test_an_even_picture_has_no_edges(kernel: list[list[float]]) -> None:
    """In neither direction."""
    assert {value for row in convolved(EVEN.rows, kernel) for value in row} == {0}


def test_brightness_is_a_share_of_white() -> None:
    """The first feature is the mean."""
    assert features(EVEN) == pytest.approx([100 / 255, 0, 0])


def test_shares_add_up_to_one() -> None:
    """Also of scores that no exponential could hold."""
    assert softmax([1000.0, 1000.0]) == [0.5, 0.5]
    assert sum(softmax([1.0, 2.0, 3.0])) == pytest.approx(1)


def test_a_picture_travels_as_json() -> None:
    """And comes as it went."""
    assert Picture.decode(drawn("fire").encode()) == drawn("fire")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"rows": 1}', b'{"rows": [[1, 2]]}', EVEN.encode().replace(b"100", b"256"), b"\xff"],
    ids=["nothing", "no-object", "no-rows", "too-small", "too-bright", "no-text"],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """With what a picture is."""
    with pytest.raises(PictureError, match=r"a picture (is JSON|has 8 rows)"):
        Picture.decode(content)
