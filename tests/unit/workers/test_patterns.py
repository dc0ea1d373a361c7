"""Laws of the patterns that both sides of a stream understand alike."""

from __future__ import annotations

import pytest

from paddock.workers.inpod.patterns import fixed, matches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("data.bin", "data.bin", True),
        ("data.bin", "sub/data.bin", False),
        ("*.bin", "data.bin", True),
        ("*.bin", "sub/data.bin", False),
        ("**/*.bin", "data.bin", True),
        ("**/*.bin", "a/b/data.bin", True),
        ("a/**/*.bin", "a/data.bin", True),
        ("a/**/*.bin", "b/data.bin", False),
        ("out", "out/deep/file", True),
        ("out/", "out/file", True),
        ("./out", "out/file", True),
        ("out", "outside", False),
        ("o?t", "out/file", True),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("**", ".hidden/file", True),
        ("*", ".hidden", True),
        ("a/**", "a/b", True),
        ("[ab].py", "b.py", True),
        ("Data", "data", False),
    ],
)
def test_a_pattern_means_paths_from_the_root(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001 - a table
    """``*`` stays in a folder, ``**`` does not, and a folder means what is in it."""
    assert matches(path, [pattern]) is expected


def test_any_of_several_patterns_is_enough() -> None:
    """No pattern means nothing."""
    assert matches("a.py", ["b.py", "*.py"])
    assert not matches("a.py", [])


@pytest.mark.parametrize(
    ("pattern", "expected"), [("a/b.py", "a/b.py"), ("a/b/*.py", "a/b"), ("**/x", ""), ("./a/?/b", "a"), ("a/", "a")]
)
def test_the_fixed_part_ends_before_the_first_wildcard(pattern: str, expected: str) -> None:
    """A search may begin there instead of at the root."""
    assert fixed(pattern) == expected
