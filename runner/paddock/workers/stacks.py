"""Stacks as a person reads them: the test's own first, without the frames of pytest below it.

Pure: text as Python's ``faulthandler`` writes it in, text out.
"""

from __future__ import annotations

import re

LINES = 40
"""Lines in a report: the test's own stack, and the tops of a few others. The whole is in the worker's evidence."""
_OTHERS = 6
"""Frames of each other thread."""
_RUNNER = re.compile(r'File ".*/(_pytest/python|_pytest/runner|pluggy/\w+|execnet/gateway_base|xdist/remote)\.py"')
"""Frames of those who called the test: from the first of them on, a stack says nothing of the test."""


def arranged(text: str, lines: int = LINES) -> str:
    """Return the stacks within ``lines`` lines: the main thread's first, as pytest runs tests there; empty for none."""
    blocks = [block.splitlines() for block in text.strip().split("\n\n") if block.strip()]
    if not blocks:
        return ""
    *others, main = blocks  # the interpreter begins with the thread that was made last
    found = _own(main)
    for block in others:
        found += ["", *_top(block)]
    more = [f"… and {len(found) - lines} lines more"] if len(found) > lines else []
    return "\n".join([*found[:lines], *more])


def _own(block: list[str]) -> list[str]:
    below = next((number for number, line in enumerate(block) if number > 1 and _RUNNER.search(line)), len(block))
    return [*block[:below], *(["  … called by pytest"] if below < len(block) else [])]


def _top(block: list[str]) -> list[str]:
    head = block[: 1 + _OTHERS]
    return [*head, *([f"  … and {len(block) - len(head)} frames more"] if len(block) > len(head) else [])]
