"""How tests on the embedded node run pytest: in a project folder whose path is always the same."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from paddock import run_accounts
from tests.contract.plugin.running import clean_environment, run_pytest, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.contract.plugin.running import Interrupt, Result, Run


@contextlib.contextmanager
def project_folder(name: str) -> Iterator[Path]:
    """Give an empty project folder, at the same path every time: the worker image holds a folder at that path."""
    folder = Path(tempfile.gettempdir()) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    for report in (folder / "paddock-report").glob("*/"):
        run_accounts.await_verified(report)  # who looks behind the prompt writes into it
    shutil.rmtree(folder)


def runner(project: Path, temporary: Path) -> Run:
    """Return what runs pytest with Paddock on the embedded node, in the project folder."""
    (temporary / "temp").mkdir()

    def run(
        *args: str,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        faults: Mapping[str, Mapping[str, object]] | None = None,
        interrupts: Sequence[Interrupt] = (),
        paddock: bool = True,
    ) -> Result:
        assert not faults, "faults are the subprocess engine's"
        write(project, files or {})
        debris = {"PYTEST_DEBUG_TEMPROOT": str(temporary / "temp"), "WITNESS": str(temporary)}
        ours = ["--paddock"] if paddock else []
        return run_pytest([*ours, *args], project, {**clean_environment(), **debris, **(environment or {})}, interrupts)

    return run
