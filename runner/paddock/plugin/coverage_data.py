"""Puts the workers' coverage where pytest-cov looks for it.

pytest-cov 7.1 writes what a worker on another host sent as ``.coverage.*`` into the current folder, but combines the
files beside ``[run] data_file`` (or COVERAGE_FILE): with that set, the report says 0 %. It must not be needed once
pytest-cov writes and reads in one place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

SENT = "cov_worker_data"
"""pytest-cov's key for a worker's data; without it pytest-cov takes the data to be in place."""


def save(config: pytest.Config, worker: str, output: dict[str, Any]) -> None:
    """Write the coverage data that a worker sent beside the data file in use; does nothing without pytest-cov."""
    plugin = config.pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if controller is None or SENT not in output:
        return
    from coverage import CoverageData  # noqa: PLC0415 - there if pytest-cov is

    base = Path(controller.topdir, controller.cov.config.data_file)
    base.parent.mkdir(parents=True, exist_ok=True)
    data = CoverageData(basename=str(base), suffix=f"paddock.{os.getpid()}.{worker}")
    data.loads(output.pop(SENT))
