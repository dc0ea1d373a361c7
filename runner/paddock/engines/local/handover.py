"""Questions to the keeper that carry open descriptors: locks of devices, which a service's process is to inherit.

Owns how they travel, as SCM_RIGHTS of a Unix socket. A lock stays with the open file: whoever is given a descriptor of
it holds it on, however the giver ends. It must not know what a question means.
"""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOLD = "hold"
"""Key of a question that asks for nothing but that its service holds the descriptors."""
LONGEST_QUESTION = 1 << 20
_MOST = 250
"""Descriptors that one message can carry (SCM_MAX_FD of Linux is 253)."""


def give(path: Path, question: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Send a question with descriptors to the socket at ``path``, and wait for its answer.

    Raises:
        OSError: nobody is there.
        ValueError: the answer is none.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)  # a socket's address holds 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(f"/proc/self/fd/{folder}/{path.name}")
            socket.send_fds(asker, [f"{json.dumps(question)}\n".encode()], descriptors)
            with asker.makefile("r", encoding="utf-8") as words:
                json.loads(words.readline())
    finally:
        os.close(folder)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a question, and the descriptors that came with its first bytes.

    Raises:
        ValueError: it is none.
    """
    text, descriptors, _, _ = socket.recv_fds(connection, LONGEST_QUESTION, _MOST, socket.MSG_CMSG_CLOEXEC)
    part = text
    while part and not text.endswith(b"\n") and len(text) < LONGEST_QUESTION:
        part = connection.recv(LONGEST_QUESTION)
        text += part
    question: dict[str, Any] = json.loads(text)
    return question, descriptors
