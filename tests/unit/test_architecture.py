"""The laws of this code base that neither ruff, mypy nor import-linter can state."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from statistics import quantiles

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "runner" / "paddock"

MEDIAN_BODY, NINTH_DECILE_BODY, LONGEST_BODY, LONGEST_MODULE = 5, 20, 40, 400

OPTION_TABLE = "# option table"
"""A function that only declares options may be long when its ``def`` line says so."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, tuple[str, ast.Module]]:
    """Return every module of the package: path -> source and tree."""
    sources = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    return {path: (source, ast.parse(source)) for path, source in sources.items()}


def functions() -> list[tuple[str, Function, str]]:
    """Return every function: where it stands, its node and the line that begins it."""
    return [
        (f"{path}:{node.lineno} {node.name}", node, source.splitlines()[node.lineno - 1])
        for path, (source, tree) in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, Function)
    ]


def body_lines(function: Function) -> int:
    """Count the lines of a body, without its docstring."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def test_functions_are_short() -> None:
    """Half of all bodies have at most 5 lines, nine of ten at most 20."""
    deciles = quantiles([body_lines(node) for _, node, _ in functions()], n=10)
    assert (deciles[4], deciles[8]) <= (MEDIAN_BODY, NINTH_DECILE_BODY)
    assert deciles[8] <= NINTH_DECILE_BODY


def test_no_function_is_over_forty_lines() -> None:
    """Only an option table may be longer, and it says so on its ``def`` line."""
    long = [place for place, node, line in functions() if body_lines(node) > LONGEST_BODY and OPTION_TABLE not in line]
    assert long == []


def test_no_module_is_over_four_hundred_lines() -> None:
    """A longer module owns more than one thing: split it."""
    assert [path for path, (source, _) in modules().items() if source.count("\n") > LONGEST_MODULE] == []


def test_every_module_says_what_it_owns() -> None:
    """A module without a docstring has no stated task."""
    assert [path for path, (source, tree) in modules().items() if source.strip() and not ast.get_docstring(tree)] == []


def imported(tree: ast.Module) -> set[str]:
    """Return the full names of what a module imports, for type checkers too."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def strangers(folder: str, allowed: set[str]) -> list[str]:
    """Return the imports in ``folder`` that are neither of the standard library nor ``allowed``."""
    return [
        f"{path}: {name}"
        for path, (_, tree) in modules().items()
        if path.startswith(f"runner/paddock/{folder}/")
        for name in sorted(imported(tree))
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name.startswith(prefix) for prefix in allowed)
    ]


def test_the_half_in_the_pod_needs_only_the_standard_library() -> None:
    """It is sent into images that hold nothing of ours."""
    assert strangers("workers/inpod", {"paddock.workers.inpod"}) == []


def test_fixtures_need_only_pytest_and_the_clients_of_the_services() -> None:
    """They run beside the user's tests and must not drag a cluster client into their process."""
    allowed = {"pytest", "_pytest", "paho", "psycopg", "paddock.fixtures", "paddock.services"}
    values = ("specs", "declared_services", "errors", "names", "deadlines", "devices.resources")
    assert strangers("fixtures", allowed | {f"paddock.{name}" for name in values}) == []


def test_every_test_states_its_law() -> None:
    """A test without a sentence is a riddle when it fails."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, Function) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


class RuntimeImports(ast.NodeVisitor):
    """Collects the packages that a module imports when it runs, so not those for type checkers."""

    def __init__(self) -> None:
        self.packages: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        """Leave out ``if TYPE_CHECKING:``."""
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Note ``import xdist``."""
        self.packages |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note ``from xdist import …``."""
        self.packages.add((node.module or "").partition(".")[0])


def test_xdist_and_execnet_are_touched_in_known_files_only() -> None:
    """What a release of theirs can break stands in few files, whose tests pin it."""
    touching = set()
    for path, (_, tree) in modules().items():
        visitor = RuntimeImports()
        visitor.visit(tree)
        if visitor.packages & {"xdist", "execnet"}:
            touching.add(path.removeprefix("runner/paddock/"))
    assert touching <= {"plugin/xdist_seam.py", "scheduling/crashes.py", "scheduling/elastic.py"}


@cache
def committed() -> dict[str, str]:
    """Return every text file that git knows: path -> text."""
    names = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        .stdout.decode()
        .split("\0")
    )
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8", errors="ignore") for path in paths}


@pytest.mark.parametrize(
    ("law", "pattern"),
    [
        pytest.param(
            "no home folder of one machine", r"(?<![\w.])/(home|Users)/(?!me/|you/|user/)[a-z]\w+/", id="home-folders"
        ),
        pytest.param("no folder of one build machine", r"(?<![\w./])/(work|builds|workspace)/\w+", id="build-folders"),
        pytest.param(
            "no package registry by address", r"https?://[\w.-]*(pypi|proxy\.golang|index)\.[\w.-]+/", id="registries"
        ),
        pytest.param("no conflict left unresolved", r"^(<{7} |>{7} )", id="conflicts"),
    ],
)
def test_no_committed_file_holds(law: str, pattern: str) -> None:
    """What is true on one machine only has no place in the repository; registries come from each machine's settings."""
    found = [path for path, text in committed().items() if re.search(pattern, text, re.MULTILINE) and path != _THIS]
    assert found == [], law


_THIS = str(Path(__file__).relative_to(ROOT))
