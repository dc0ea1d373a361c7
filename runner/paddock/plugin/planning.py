"""``--paddock-plan``: prints a run in place of making it.

Owns the point in pytest's start at which everything is known, the number of workers too, and nothing is begun.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from paddock.plugin import engine_choice, engine_factory, environment, options
from paddock.plugin.xdist_seam import plan_workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.cluster.requests import Manifest


class Planner:
    """Stands in front of pytest's own main loop, and behind xdist's, which turns ``-n auto`` into a number."""

    def pytest_cmdline_main(self, config: pytest.Config) -> int | None:
        """Print the plan.

        Raises:
            pytest.UsageError: something was given that cannot be meant.
        """
        settings = engine_choice.read(config)
        if settings.plan is None:
            return None
        from paddock import engines  # noqa: PLC0415 - loads the cluster's client

        variables = environment.travelling(os.environ, settings.variables)
        with options.told():
            request = engine_factory.make_request(config, settings, variables)
            objects = engines.plan(settings.engine, request, plan_workers(config))
        sys.stdout.write(as_json(objects) if settings.plan == "json" else as_yaml(objects))
        return int(pytest.ExitCode.OK)


def as_yaml(objects: Sequence[Manifest]) -> str:
    """Return the objects as kubectl takes them, one document each."""
    import yaml  # noqa: PLC0415 - not needed for JSON

    return str(yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True, width=120, allow_unicode=True))


def as_json(objects: Sequence[Manifest]) -> str:
    """Return the objects as one list that kubectl takes as well."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
