"""A run as ``paddock plan`` lists it: which objects, in which order, and what is masked.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference. What each object holds
stands in ``tests/golden/namespaces``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from paddock.engines import planning
from paddock.namespaces import records
from paddock.specs import Images, PythonEnvironment, RunPlan

if TYPE_CHECKING:
    import pytest

    from paddock.cluster.requests import Manifest

GOLDEN = Path(__file__).with_name("plan.golden.txt")
SHARED = Path(__file__).with_name("shared.golden.txt")
PLAN = RunPlan(
    run_id="k7x2mq",
    workers=("gw0", "gw1"),
    root=Path("/srv/project"),
    working_directory=Path("/srv/project"),
    images=Images(worker="r/worker:w", broker="r/broker:b", database="r/database:d"),
    python=PythonEnvironment(executable=Path("/srv/project/.venv/bin/python")),
)


def line(manifest: Manifest) -> str:
    """Return an object's place; of a record and of a Secret what they say as well."""
    metadata = manifest["metadata"]
    said = manifest.get("stringData") or (manifest["spec"] if manifest["kind"] == "Lease" else {})
    shown = yaml.safe_dump(said, default_flow_style=True, width=1000).strip() if said else ""
    return f"{manifest['kind']} {metadata.get('namespace', '-')} {metadata['name']} {shown}".rstrip()


def test_a_run_is_listed_as_reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a run would make is missing from its plan, no credential is in it, a shared broker comes first."""
    monkeypatch.setattr(planning, "holder", lambda: "me@here/7")
    monkeypatch.setattr(records, "now", lambda: "2026-01-02T03:04:05.000006Z")
    plans = {GOLDEN: PLAN, SHARED: replace(PLAN, shares_broker=True)}
    for golden, plan in plans.items():
        listed = "\n".join([*map(line, planning.objects(plan)), ""])
        if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
            golden.write_text(listed, encoding="utf-8")
        assert listed == golden.read_text(encoding="utf-8")
