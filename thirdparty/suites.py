"""What a suite of another project is, and how it is fetched, set up and run, unchanged.

It must not know what its verdicts are compared with.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from benchmarks._shared import user_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paddock.specs import ServiceFacts

HERE = Path(__file__).resolve().parent
LONGEST = 1800
"""Seconds for one run of a suite."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One entry of ``suites.toml``."""

    name: str
    requirement: str
    sha256: str
    environment: Sequence[str]
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    plugin: str = ""
    folders: Sequence[str] = ()
    """What is taken of the source distribution; empty for all of it."""
    inner: Sequence[str] = ()
    """Plugins for the runs of pytest that the suite's tests start; empty if they start none that matter here."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one run."""

    seconds: float
    verdicts: Mapping[str, str]

    def line(self) -> str:
        """Return the run's figures."""
        counts = Counter(self.verdicts.values())
        return f"{self.seconds:6.1f} s  " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def fetch(suite: Suite, folder: Path) -> Path:
    """Return the folder of the unpacked source distribution."""
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{suite.requirement} --hash=sha256:{suite.sha256}\n", encoding="utf-8")
    options = ["--quiet", "--no-deps", "--no-binary=:all:", "--require-hashes", f"--dest={folder}"]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder / "source", filter="data")
    source = next((folder / "source").iterdir())
    project = folder / suite.name
    for name in suite.folders or [path.name for path in source.iterdir()]:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy2
        project.mkdir(exist_ok=True)
        copy(source / name, project / name)
    configure(suite, project)
    return project


def configure(suite: Suite, project: Path) -> None:
    """Add what a user would: variables under the project's own names, and a plugin beside the tests."""
    if suite.variables:
        lines = [f'{name} = "{value}"' for name, value in suite.variables.items()]
        with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write("\n".join(["", "[tool.paddock.env]", *lines, ""]))
    if suite.plugin and not suite.inner:
        shutil.copy2(HERE / f"{suite.plugin}.py", project)


def environment(suite: Suite, folder: Path) -> str:
    """Return the interpreter of a new environment with Paddock and what the suite needs."""
    place = folder / "venv"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", str(place)], check=True)
    wanted = [str(HERE.parent), *suite.environment]
    subprocess.run([*uv, "pip", "install", "--python", str(place), *wanted], check=True)
    return str(place / "bin" / "python")


def run(suite: Suite, project: Path, python: str, *options: str, shared: ServiceFacts | None = None) -> Outcome:
    """Run a suite once, on the shared server if one is given, and return what came of it."""
    report = project.parent / "report.xml"
    report.unlink(missing_ok=True)
    arguments = [*plugins(suite), *(filled(argument, shared) for argument in suite.arguments), *options]
    argv = [python, "-m", "pytest", "-q", "--tb=no", *arguments, f"--junitxml={report}"]
    started = time.monotonic()
    done = subprocess.run(
        argv, cwd=project, env=variables(suite, shared), capture_output=True, text=True, timeout=LONGEST, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode not in {0, 1} or not report.exists():
        raise SystemExit(f"{suite.name} did not run:\n{done.stdout[-5000:]}{done.stderr[-5000:]}")
    return Outcome(seconds=seconds, verdicts=verdicts(report))


def plugins(suite: Suite) -> list[str]:
    """Return the arguments that load what stands beside this module."""
    if suite.inner:
        return ["-p", f"thirdparty.{suite.plugin}", f"--inner-plugins={','.join(suite.inner)}"]
    return ["-p", suite.plugin] if suite.plugin else []


def variables(suite: Suite, shared: ServiceFacts | None) -> dict[str, str]:
    """Return the environment of a run: where our plugins are, and the shared server under the project's own names."""
    ours = {"PYTHONPATH": str(HERE.parent)} if suite.inner else {}
    facts = {name: filled(value, shared) for name, value in suite.variables.items()} if shared else {}
    return user_environment() | ours | facts


def filled(text: str, shared: ServiceFacts | None) -> str:
    """Return ``text`` with the shared server in place of the placeholders; as it is for Paddock to fill."""
    if shared is None:
        return text
    values = {
        "host": shared.host,
        "port": str(shared.port),
        "user": shared.username,
        "password": shared.password,
        "name": shared.database,
    }
    for name, value in values.items():
        text = text.replace(f"{{database.{name}}}", value)
    return text


def verdicts(report: Path) -> dict[str, str]:
    """Return test -> verdict of a JUnit report."""
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        found[f"{case.get('classname')}::{case.get('name')}"] = min(kinds, default="passed")
    return found
