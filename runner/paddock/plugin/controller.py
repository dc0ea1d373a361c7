"""The controller's side of a run: pytest's and xdist's hooks, each handed to the part that knows.

Runs on pytest's thread. It must not know clusters, nor xdist's inner workings: those stand in ``xdist_seam``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paddock.errors import InfrastructureError, UsageError
from paddock.plugin import coverage_data, engine_factory, environment, examples, facts, remote
from paddock.plugin.books import Books
from paddock.plugin.doings import Doings
from paddock.plugin.ledger import Exit
from paddock.plugin.missing_sources import MissingSources
from paddock.plugin.options import told
from paddock.plugin.terminal import Progress, Terminal
from paddock.plugin.xdist_seam import Lost, Nodes, NothingSaidError, lost, plan_workers
from paddock.scheduling import crashes
from paddock.scheduling.elastic import ElasticScheduling
from paddock.services import placeholders
from paddock.workers.choice import summary

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from types import ModuleType

    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

    from paddock.engines.protocol import Engine, WorkerStream
    from paddock.settings.resolution import Settings
    from paddock.specs import Doing


class Controller:
    """One run in namespaces, from its engine to its verdict."""

    def __init__(self, config: pytest.Config, settings: Settings, here: Mapping[str, str]) -> None:
        self.settings = settings
        self.terminal = Terminal(config)
        self.engine: Engine | None = None
        self._config = config
        self._variables = environment.travelling(here, settings.variables) | facts.plain(settings.templates)
        self._progress = Progress(self.terminal)
        known = placeholders.variables(service.name for service in settings.services)
        told = facts.told(config, settings.templates, known)
        self._nodes = Nodes(config, self._open, Doings(self._note).hear, told, settings.limits.start)
        self._books = Books(self.terminal)
        self._causes: dict[str, str] = {}
        self._sent = ""
        self._workers: list[str] = []
        self._heard: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Begin the namespaces before anything else: they are made while pytest gets ready."""
        config.pluginmanager.register(self._books, "paddock-books")
        self._workers = plan_workers(config)
        with told():
            request = engine_factory.make_request(config, self.settings, self._variables)
            self._sent = summary(request.sources)
            config.pluginmanager.register(MissingSources(request.sources), "paddock-missing-sources")
            try:
                self.engine = engine_factory.find(config)(self.settings.engine, request, self._progress.step)
                self.engine.begin(self._workers)
            except InfrastructureError as error:
                pytest.exit(f"paddock: {error}", returncode=Exit.INFRASTRUCTURE_FAILED)

    def _open(self, worker: str) -> WorkerStream:
        if self.engine is None:
            raise InfrastructureError(f"the worker {worker} was asked for before its engine was there")
        try:
            return self.engine.open(worker, self.terminal.worker_line)
        except UsageError as error:  # only the cluster could know: a manifest that it refuses, a run id that is taken
            self._books.mistake(str(error))
            raise

    def _note(self, worker: str, doing: Doing) -> None:
        if self.engine is not None:
            self.engine.note(worker, doing)

    def pytest_report_header(self) -> str:
        """Name the run, so that it can be found in the cluster and repeated."""
        seed = self._variables[environment.HASH_SEED]
        return (
            f"paddock: run {self.settings.run_id}, engine {self.settings.engine}, "
            f"{len(self._workers)} workers, {environment.HASH_SEED}={seed}"
            + (f"\npaddock: sources {self._sent}" if self._sent else "")
        )

    # ---- workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_setupnodes(self) -> None:
        """Take over the making of workers before the first one is made."""
        self._nodes.attach()

    @pytest.hookimpl(trylast=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Complete a worker's input, after all plugins, and begin its process."""
        self._nodes.adopt(node)

    def pytest_xdist_getremotemodule(self) -> ModuleType:
        """Have our preparation run in front of xdist's worker code."""
        return remote

    def pytest_testnodeready(self, node: WorkerController) -> None:
        """Note that a worker has begun to collect."""
        self._progress.end()
        self._nodes.note_ready(node)

    def pytest_xdist_node_collection_finished(self, node: WorkerController) -> None:
        """Note that xdist has heard what the worker collected, and tell the engine that it is ready for tests."""
        self._heard.add(node.gateway.id)
        if self.engine is not None:
            self.engine.begun(node.gateway.id)

    @pytest.hookimpl(wrapper=True)
    def pytest_xdist_make_scheduler(self) -> Generator[None, Scheduling, ElasticScheduling]:
        """Let the scheduler, xdist's or a user's, begin without waiting for every worker."""
        inner = yield
        crashes.tell_groups(inner, self._nodes.groups)
        return ElasticScheduling(inner, self)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_testnodedown(self, node: WorkerController, error: object | None) -> Generator[None, object, object]:
        """Tell why a worker went, put its coverage in place, and end a run that nobody is left to do.

        A conftest that reads what every worker said of itself is not to fail over one that never said anything.
        """
        self._note_down(node, error)
        try:
            return (yield)
        except NothingSaidError:
            return []

    def _note_down(self, node: WorkerController, error: object | None) -> None:
        worker, why = node.gateway.id, lost(node)
        output = getattr(node, "workeroutput", {})
        coverage_data.save(self._config, worker, output)
        examples.save(self._config.invocation_params.dir / examples.FOLDER, output)
        if why is not None:
            self._note_lost(worker, why)
        elif error:
            self._tell_cause(worker)

    def _note_lost(self, worker: str, why: Lost) -> None:
        cause = self._cause(worker) if why.unexplained else ""
        self._books.lose(worker, f"{why.reason} ({cause})" if cause and cause not in why.reason else why.reason)
        self._retire(worker)
        if not self._nodes.roster.alive() and not self._nodes.is_ending:
            self._books.fault("No worker is left to run tests.")
            self._nodes.stop("no worker is left to run tests")

    def _tell_cause(self, worker: str) -> None:
        cause = self._cause(worker)
        if cause:
            self.terminal.line(f"{worker}: {cause}", yellow=True)
        self._retire(worker)

    def _cause(self, worker: str) -> str:
        if worker not in self._causes:  # asked once, while the engine still knows: the worker is retired soon
            self._causes[worker] = self.engine.cause(worker) if self.engine else ""
        return self._causes[worker]

    def _retire(self, worker: str) -> None:
        if self.engine is not None:
            self.engine.retire(worker)

    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Add to a crashed test's report why its worker went away."""
        node: Any = getattr(report, "node", None)
        cause = self._cause(node.gateway.id) if node else ""
        if cause:
            report.longrepr = f"{report.longrepr}\n{cause}"

    # ---- the scheduler's outlook

    def awaited(self) -> int:
        """Return how many workers may still come and collect, as far as xdist has heard.

        The roster is ahead of xdist by what lies in its queue: by the roster alone, tests would begin on the first of
        several workers that have collected at the same time.
        """
        return len(set(self._nodes.roster.alive()) - self._heard)

    def wake_after(self, seconds: float) -> None:
        """Have xdist's loop look around after some time."""
        self._nodes.wake_after(seconds)

    def after_event(self, *, finished: bool) -> None:
        """End the workers that are still starting once nobody needs them: xdist would wait for them."""
        if finished or self._nodes.is_ending:
            self._nodes.cancel_awaited()

    def began_without(self, missing: int) -> None:
        """Tell that the run has begun on fewer workers than it was given."""
        self.terminal.line(f"tests begin on {len(self._workers) - missing} of {len(self._workers)} workers")

    def deviates(self, worker: str, difference: str) -> None:
        """Report a worker that collected other tests as an error in collecting."""
        report = pytest.CollectReport(nodeid=worker, outcome="failed", longrepr=difference, result=[])
        self._config.hook.pytest_collectreport(report=report)

    # ---- the end

    def pytest_internalerror(self) -> None:
        """End the run on an internal error, a worker's too: xdist would wait for that worker's tests."""
        self._books.fault("pytest itself failed: see INTERNALERROR above.")
        self._nodes.stop("internal error")

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let the workers tear down their fixtures, for as long as the grace lasts; a second Ctrl-C ends it."""
        excinfo.traceback = excinfo.traceback.filter(_has_line)
        self._nodes.cancel_awaited()
        self._nodes.interrupt()
        try:
            self._nodes.roster.wait_until_gone(self.settings.grace)
        except KeyboardInterrupt:
            self.terminal.line("interrupted again: workers are ended without tearing down")
        self._nodes.kill()

    def close(self) -> None:
        """End what still runs on this side, and tell what pytest's summary did not; idempotent."""
        self._progress.end()
        self._nodes.close()
        self._books.tell()


def _has_line(entry: Any) -> bool:  # noqa: ANN401 - pytest does not export the type
    """Whether pytest can show the entry: a signal may fall on an instruction that belongs to no line."""
    try:
        return bool(entry.lineno >= 0)
    except TypeError:
        return False
