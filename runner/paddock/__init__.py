"""Paddock: every pytest worker in a Kubernetes namespace of its own."""

from __future__ import annotations

__version__ = "0.1.0"
