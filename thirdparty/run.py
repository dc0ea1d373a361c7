"""Runs another project's suite, unchanged, in four namespaces and serially on one database, and compares verdicts.

    nox -s thirdparty [-- SUITE…]

The suite comes from the project's source distribution on PyPI, checked against its hash, into an environment of its
own. Three runs: without xdist and with stock ``-n 4``, both on one server, and in four namespaces. A test whose
verdict differs from the serial run's is printed; any such test makes the exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from benchmarks._shared import LIMIT, images_of, user_environment
from paddock import names, node
from paddock.cluster import connect, requests
from paddock.cluster.watching import Watch
from paddock.deadlines import Deadline
from paddock.fixtures.services import ask_database
from paddock.namespaces import manifests, records
from paddock.namespaces.leases import Leases
from paddock.namespaces.release import release
from paddock.services import broker, database
from paddock.specs import RunPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paddock.specs import ServiceFacts

HERE = Path(__file__).resolve().parent
WORKERS = 4
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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one run."""

    seconds: float
    verdicts: Mapping[str, str]

    def line(self) -> str:
        """Return the run's figures."""
        counts = Counter(self.verdicts.values())
        return f"{self.seconds:6.1f} s  " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))


def main() -> int:
    """Run the suites named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    known = tomllib.loads((HERE / "suites.toml").read_text(encoding="utf-8"))
    parser.add_argument("suites", nargs="*", default=list(known), metavar="SUITE", help=f"one of {', '.join(known)}")
    chosen = parser.parse_args().suites
    different = [name for name in chosen if not same(Suite(name=name, **known[name]))]
    if different:
        print(f"verdicts differ: {', '.join(different)}")
    return len(different) > 0


def same(suite: Suite) -> bool:
    """Run a suite in its three ways and tell whether namespaces gave the serial verdicts."""
    with tempfile.TemporaryDirectory() as folder, shared_database() as facts:
        project = fetch(suite, Path(folder))
        python = environment(suite, Path(folder))
        serial = run(suite, project, python, shared=facts)
        print(f"{suite.name}: serially, one server        {serial.line()}", flush=True)
        stock = run(suite, project, python, "-n", str(WORKERS), shared=facts)
        print(f"{suite.name}: stock -n {WORKERS}, one server      {stock.line()}", flush=True)
        ours = run(suite, project, python, "--paddock", "-n", str(WORKERS))
        print(f"{suite.name}: --paddock -n {WORKERS}              {ours.line()}", flush=True)
    for test in sorted(set(serial.verdicts) | set(ours.verdicts)):
        before, now = serial.verdicts.get(test, "absent"), ours.verdicts.get(test, "absent")
        if before != now:
            print(f"  {test}: {before} serially, {now} in namespaces")
    return serial.verdicts == ours.verdicts


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
    if suite.plugin:
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
    plugin = ["-p", suite.plugin] if suite.plugin else []
    arguments = [filled(argument, shared) for argument in suite.arguments]
    variables = {name: filled(value, shared) for name, value in suite.variables.items()} if shared else {}
    argv = [python, "-m", "pytest", "-q", "--tb=no", *plugin, *arguments, *options, f"--junitxml={report}"]
    inherited = user_environment()
    started = time.monotonic()
    done = subprocess.run(
        argv, cwd=project, env=inherited | variables, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    seconds = time.monotonic() - started
    if not report.exists():
        raise SystemExit(f"{suite.name} did not run:\n{done.stdout[-5000:]}{done.stderr[-5000:]}")
    return Outcome(seconds=seconds, verdicts=verdicts(report))


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


@contextlib.contextmanager
def shared_database() -> Iterator[ServiceFacts]:
    """Yield a database server as a worker gets one, reachable from this machine, for the runs that share one."""
    access = node.up(report=print)
    cluster = connect.connect(connect.Choice(connect.EMBEDDED), access.plain_kubeconfig)
    root = Path.cwd()
    made, python = images_of(access.registry, root)
    run_id = names.new_run_id()
    plan = RunPlan(run_id=run_id, workers=["gw0"], root=root, working_directory=root, images=made, python=python)
    secrets = {broker.NAME: broker.credentials(), database.NAME: database.credentials()}
    namespace = names.namespace_name(run_id, "gw0")
    records.write(cluster, run_id, "thirdparty")
    leases = Leases(cluster, run_id, plan.limits)
    watch = Watch(cluster, requests.POD, names.selector(names.labels(run_id)))
    try:
        leases.begin(manifests.build(plan, "gw0", secrets))
        yield answering(watch, namespace, secrets[database.NAME])
    finally:
        watch.close()
        leases.close()
        release(cluster, run_id, [namespace])


def answering(watch: Watch, namespace: str, secret: Mapping[str, str]) -> ServiceFacts:
    """Return the facts of the database server in a namespace, at its pod's address, once it answers."""
    deadline = Deadline(LIMIT)
    address = watch.wait(
        lambda pods: pods.get((namespace, database.NAME), {}).get("status", {}).get("podIP") or None, deadline
    )
    facts = replace(database.facts(secret), host=str(address))
    while not deadline.passed:
        with contextlib.suppress(Exception):  # a server that is not there yet fails in many ways
            ask_database(facts)
            return facts
    raise SystemExit(f"The shared database at {address} did not answer within {LIMIT:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
