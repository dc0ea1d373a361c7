from __future__ import annotations

import os
from pathlib import Path

from paddock.plugin.environment import travelling


def test_only_pytests_and_named_variables_travel() -> None:
    """A worker's environment is not the controller's, but pytest's options are."""
    here = {"PYTEST_ADDOPTS": "-q", "NO_COLOR": "1", "HOME": "/h", "A": "1", "B": "2", "PADDOCK": "1"}
    there = travelling(here, ["A"])
    assert set(there) == {"PYTEST_ADDOPTS", "NO_COLOR", "A", "PYTHONHASHSEED"}


def test_what_pytest_sets_itself_stays() -> None:
    """A run inside a test or a worker must not look like that test or worker."""
    here = {"PYTEST_CURRENT_TEST": "t", "PYTEST_VERSION": "9", "PYTEST_XDIST_WORKER": "gw3"}
    assert set(travelling(here, [])) == {"PYTHONHASHSEED"}


def test_the_search_path_is_made_absolute() -> None:
    """A relative entry means the same folder in a worker that starts elsewhere."""
    there = travelling({"PYTHONPATH": f"src{os.pathsep}/opt/x"}, [])
    assert there["PYTHONPATH"] == f"{Path.cwd() / 'src'}{os.pathsep}/opt/x"


def test_the_seed_is_kept_or_drawn() -> None:
    """A number repeats a run; none, or "random", draws one, and not always the same."""
    assert travelling({"PYTHONHASHSEED": "7"}, [])["PYTHONHASHSEED"] == "7"
    drawn = {travelling({"PYTHONHASHSEED": "random"}, [])["PYTHONHASHSEED"] for _ in range(5)}
    assert len(drawn) > 1
    assert all(0 <= int(seed) < 2**32 for seed in drawn)


def test_runs_of_a_project_that_are_made_ahead_share_their_seed() -> None:
    """Interpreters that wait for the next run have begun with it; what the user gives counts all the same."""
    here, there = travelling({}, [], "/srv/a")["PYTHONHASHSEED"], travelling({}, [], "/srv/b")["PYTHONHASHSEED"]
    assert here == travelling({}, [], "/srv/a")["PYTHONHASHSEED"]
    assert here != there
    assert travelling({"PYTHONHASHSEED": "7"}, [], "/srv/a")["PYTHONHASHSEED"] == "7"
