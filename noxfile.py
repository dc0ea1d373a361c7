"""Everything that is done to this repository, a session each; ``nox -l`` lists them.

Sessions are thin: each is one call into Paddock or one command. They run on a fresh clone, where nox's own environment
holds nothing but nox; that is why ``runner/`` is put on the path and nothing is imported that needs more than that.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "runner"))

from paddock import sessions  # noqa: E402 - only findable from here on
from paddock.node.recipes import OLDEST  # noqa: E402 - as above
from paddock.sessions.definitions import not_there_yet  # noqa: E402 - as above

nox.needs_version = ">=2026.7.11"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["tests"]

QUICK = ("tests/unit", "tests/contract", "tests/golden")
ON_THE_NODE = ("tests/cluster", "tests/e2e", "tests/chaos")
ON_THE_OLDEST = tuple(
    f"tests/cluster/test_{name}.py"
    for name in ("chart", "files", "foreign_cluster", "inside_a_cluster", "inspecting", "options", "places", "version")
)
NO_CLUSTER = "--no-cluster"
IN_PARALLEL = ("-n2",)
"""Tests without the node share out over both; those on the node follow on one of them, one after another."""
SLOWEST = ("--durations=60", "--durations-min=5")
"""The whole set has a limit of time in CI: its output tells where that goes."""

sessions.register(
    *("parallel", "serial"),
    install=["-e", "./examples/fire_watch", "--group", "examples/fire_watch/pyproject.toml:test"],
    folder="examples/fire_watch",
)
sessions.register(
    "hardware",
    # Not editable: the pod of its service has what is installed, and no sources.
    install=[
        *("./examples/edge_inference", "--group", "examples/edge_inference/pyproject.toml:test"),
        *nox.project.load_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]["device-plugin"],
    ],
    folder="examples/edge_inference",
)
sessions.register("validate")


def install(session: nox.Session, *arguments: str) -> None:
    """Install dependency groups (``+name``) and anything pip takes, unless the environment holds them already."""
    groups = [argument.removeprefix("+") for argument in arguments if argument.startswith("+")]
    others = [argument for argument in arguments if not argument.startswith("+")]
    project = nox.project.load_toml(ROOT / "pyproject.toml")
    sessions.install_when_changed(session, *others, *nox.project.dependency_groups(project, *groups))


def check_style(session: nox.Session) -> None:
    """Check what ruff and import-linter can see."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": str(ROOT / "runner")})


def check_types(session: nox.Session) -> None:
    """Check every file of ours with mypy's strict mode."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run every check and every test; those on the embedded node too (`-- --no-cluster` leaves them out)."""
    arguments = [argument for argument in session.posargs if argument != NO_CLUSTER]
    folders = QUICK if NO_CLUSTER in session.posargs else (*QUICK, *ON_THE_NODE)
    if folders != QUICK and not (sys.platform == "linux" and os.geteuid() == 0):
        session.error(
            "The embedded node needs Linux and root, so the cluster tests cannot run here. Run nox as root, "
            f"or leave those tests out with: nox -s tests -- {NO_CLUSTER}",
        )
    install(session, ".", "+test", "+lint", "+types")
    check_style(session)
    check_types(session)
    session.run("python", "-m", "pytest", *IN_PARALLEL, *SLOWEST, *folders, *arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the layers (ruff, import-linter)."""
    install(session, "-e", ".", "+lint")
    check_style(session)


@nox.session
def types(session: nox.Session) -> None:
    """Check types (mypy --strict)."""
    install(session, "-e", ".", "+types", "+test")
    check_types(session)


@nox.session(python="3.11")
def minimums(session: nox.Session) -> None:
    """Run unit and contract tests with the lowest versions that pyproject.toml allows."""
    install(session, "--resolution=lowest-direct", ".", "+test")
    session.run("python", "-m", "pytest", *IN_PARALLEL, "tests/unit", "tests/contract", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """Run tests on a node of the oldest Kubernetes that Paddock runs on; it is built first, which takes minutes."""
    install(session, ".", "+test")
    paddock = ("python", "-m", "paddock")
    session.run(*paddock, "node", "up", f"--kubernetes={OLDEST}")  # refuses while a node of another version is up
    try:
        session.run("python", "-m", "pytest", *(session.posargs or ON_THE_OLDEST))
    finally:
        session.run(*paddock, "node", "down")


@nox.session
def bench(session: nox.Session) -> None:
    """Run one benchmark: `nox -s bench -- NAME`; without a name, list them."""
    known = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    name, *arguments = session.posargs or [""]
    if name not in known:
        session.error(f"There is no benchmark {name!r}. Choose from: {', '.join(known) or 'none yet'}")
    install(session, ".", "+test")
    session.run("python", "-m", f"benchmarks.{name}", *arguments)


@nox.session
def thirdparty(session: nox.Session) -> None:
    """Run other projects' suites in namespaces and compare their verdicts: `nox -s thirdparty -- [SUITE…]`."""
    install(session, ".", "+test")
    session.run("python", "-m", "thirdparty.run", *session.posargs)


@nox.session
def node(session: nox.Session) -> None:
    """Manage the embedded Kubernetes node: `nox -s node -- up|down|status|logs|kubeconfig|kubectl|helm`."""
    install(session, "-e", ".")
    session.run("python", "-m", "paddock", "node", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Strike runs with faults and keep the results: `nox -s chaos -- [FAULT…] [--times=N]`, else what is missing."""
    install(session, ".", "+test")
    arguments = [one if one.startswith("-") else f"--fault={one}" for one in session.posargs]
    session.run("python", "-m", "pytest", "tests/chaos", "--chaos", *arguments)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the documentation as web pages (not there yet)."""
    not_there_yet(session, "docs/ is read as plain Markdown until then")
