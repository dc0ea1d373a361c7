"""The nftables tables of a node: those of kube-proxy, of the CNI plugin, and our own."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OURS = re.compile(r"table (\w+ (?:kube-proxy|cni_plugins_masquerade|paddock\S*))")


def ours(listing: str) -> list[str]:
    """Return family and name of each table of a node in what ``nft list tables`` prints."""
    return _OURS.findall(listing)


def remove(nft: Path) -> None:
    """Delete the node's tables; a machine without nft has none."""
    if not nft.exists():
        return
    listing = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=False).stdout
    for table in ours(listing):
        subprocess.run([nft, "delete", "table", *table.split()], capture_output=True, check=False)
