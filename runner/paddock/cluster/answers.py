"""What an API server answers, as data.

Pure. It must not know requests, streams or what the data is about.
"""

from __future__ import annotations

import json
from typing import Any


def parsed(answer: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what an answer holds; bytes that are no UTF-8 become U+FFFD.

    The kubelet cuts a container's last words at a number of bytes, within a letter too, and the API server hands them
    on as they are (seen with Kubernetes 1.36).
    """
    return json.loads(answer.decode("utf-8", "replace"))
