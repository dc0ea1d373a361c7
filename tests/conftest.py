"""Registers the plugins of our own tests, and Hypothesis' profile; everything else stands in ``tests/plugins``."""

from __future__ import annotations

import hypothesis

pytest_plugins = [
    "pytester",
    "tests.plugins.leaks",
    "tests.plugins.workers",
    "tests.plugins.cluster",
    "tests.plugins.images",
    "tests.plugins.postgres",
    "tests.plugins.redis",
    "tests.plugins.mosquitto",
]

# How long a machine takes says nothing about the code: neither an example's time nor that of drawing it is judged.
hypothesis.settings.register_profile("laws", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("laws")
