"""Facts for what runs beside the worker: JSON files that fixtures read, replaced as a whole.

Owns the folder. It must not know what the facts say.
"""

from __future__ import annotations

import json
import os
import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def write_facts(folder: str, name: str, mapping: dict[str, object]) -> None:
    """Write ``mapping`` to ``<folder>/<name>.json``; a reader sees the old or the new facts and nothing between.

    Raises:
        ValueError: the name could leave the folder.
        OSError: the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"Expected letters, digits, '.', '_' and '-' as a name of facts and received {name!r}.")
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - pathlib takes 10 ms to import, at every start of a pod
    path = f"{folder}/{name}.json"
    with open(f"{path}.new", "w", encoding="utf-8") as file:  # noqa: PTH123 - see above
        json.dump(mapping, file)
    os.replace(f"{path}.new", path)  # noqa: PTH105 - see above
