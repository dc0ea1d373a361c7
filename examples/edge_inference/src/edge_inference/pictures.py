"""Pictures as the camera sends them: gray values in rows, all of one size."""

import json
import random
from dataclasses import dataclass
from typing import Any, Self

SIZE = 8
"""Pixels in a row, and rows."""
_BRIGHTEST = 255


class PictureError(ValueError):
    """What was sent is no picture."""


@dataclass(frozen=True)
class Picture:
    """Gray values from 0 to 255, row by row."""

    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read a picture from JSON; what is none is refused with its reason."""
        try:
            rows = json.loads(content)["rows"]
        except (ValueError, KeyError, TypeError) as error:
            raise PictureError('a picture is JSON such as {"rows": [[0, 255], ...]}') from error
        if not isinstance(rows, list) or len(rows) != SIZE or any(not _is_row(row) for row in rows):
            raise PictureError(f"a picture has {SIZE} rows of {SIZE} gray values from 0 to {_BRIGHTEST}")
        return cls(tuple(map(tuple, rows)))

    def encode(self) -> bytes:
        """Write the picture as JSON."""
        return json.dumps({"rows": self.rows}).encode()


def _is_row(row: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    return (
        isinstance(row, list) and len(row) == SIZE and all(type(one) is int and 0 <= one <= _BRIGHTEST for one in row)
    )


def drawn(label: str, seed: int = 0) -> Picture:
    """Draw a picture of which is known what it shows: an even sky, a soft veil of smoke, or flickering flames."""
    noise = random.Random(f"{label}/{seed}")  # noqa: S311 - the same picture each time
    low, high = {"clear": (20, 30), "smoke": (120, 150), "fire": (0, _BRIGHTEST)}[label]
    return Picture(tuple(tuple(noise.randint(low, high) for _ in range(SIZE)) for _ in range(SIZE)))
