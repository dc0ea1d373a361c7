"""Registers the plugins of our own tests; everything else stands in ``tests/plugins``."""

from __future__ import annotations

pytest_plugins = ["pytester", "tests.plugins.leaks", "tests.plugins.cluster", "tests.plugins.images"]
