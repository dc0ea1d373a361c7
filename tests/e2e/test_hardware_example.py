"""``nox -s hardware`` as a user types it: the example with accelerators, which are simulated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Run
    from tests.plugins.cluster import EmbeddedNode

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("only", [(), ("-m", "hardware or not hardware")], ids=["with hardware", "all"])
def test_the_example_passes_on_two_devices_and_four_workers(
    start_nox: Callable[..., Run], embedded_node: EmbeddedNode, only: tuple[str, ...]
) -> None:
    """One worker has both devices; its tests go nowhere else, and nothing is left."""
    asked = ("-v", "-n", "4", "--paddock-simulate-hardware=2", "--paddock-history=/dev/null", *only)
    run = start_nox("-s", "hardware", "--", *asked)
    assert run.finish() == 0, run.output
    passed = re.search(r"=+ (\d+) passed", run.output)
    assert passed, run.output
    assert int(passed[1]) >= (50 if only else 30)
    assert "1 of 4 workers hold hardware; the others run tests that need none" in run.output
    of_hardware = re.findall(r"\[(gw\d)\] .*PASSED tests/test_(?:device|service|mixed)", run.output)
    assert set(of_hardware) == {"gw0"}
    assert re.search(r"namespaces: created \d, deleted \d, left 0", run.output)
    assert embedded_node.wait_until_gone(run=run.run_id) == set()
