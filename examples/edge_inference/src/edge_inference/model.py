"""The network: one layer of convolutions, their mean strengths, and a linear classifier. Pure Python, no weights file.

Its weights are chosen by hand: brightness tells smoke from a clear sky, and edges tell flames from smoke.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_inference.pictures import Picture

LABELS = ("clear", "smoke", "fire")
Matrix = Sequence[Sequence[float]]
KERNELS: Sequence[Matrix] = (
    ((1 / 9,) * 3,) * 3,
    ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
)
"""A mean, and the edges in both directions (Sobel)."""
_WEIGHTS: Matrix = ((-20.0, -4.0, -4.0), (12.0, -8.0, -8.0), (0.0, 8.0, 8.0))
_BIASES = (5.0, 0.0, -5.0)


@dataclass(frozen=True)
class Verdict:
    """What a picture shows, and how sure that is, from 0 to 1."""

    label: str
    confidence: float


def convolved(picture: Matrix, kernel: Matrix) -> list[list[float]]:
    """Slide a kernel over a picture, without its margin."""
    height, width = len(kernel), len(kernel[0])
    return [
        [
            sum(picture[y + dy][x + dx] * kernel[dy][dx] for dy in range(height) for dx in range(width))
            for x in range(len(picture[0]) - width + 1)
        ]
        for y in range(len(picture) - height + 1)
    ]


def features(picture: Picture) -> list[float]:
    """Tell how strongly each kernel answers, from 0 to about 1."""
    scaled = [[value / 255 for value in row] for row in picture.rows]
    return [_mean([abs(value) for row in convolved(scaled, kernel) for value in row]) for kernel in KERNELS]


def softmax(scores: Sequence[float]) -> list[float]:
    """Turn scores into shares of one."""
    shares = [math.exp(score - max(scores)) for score in scores]
    return [share / sum(shares) for share in shares]


def classify(picture: Picture) -> Verdict:
    """Say what a picture shows."""
    found = features(picture)
    scores = [
        bias + sum(weight * feature for weight, feature in zip(weights, found, strict=True))
        for weights, bias in zip(_WEIGHTS, _BIASES, strict=True)
    ]
    shares = softmax(scores)
    best = max(range(len(LABELS)), key=shares.__getitem__)
    return Verdict(LABELS[best], shares[best])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
