"""The controller's side of a run: pytest's and xdist's hooks, each handed to the part that knows.

Runs on pytest's thread. It must not know clusters, nor xdist's inner workings: those stand in ``xdist_seam``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from paddock.errors import InfrastructureError, UsageError
from paddock.plugin import (
    auto,
    coverage_data,
    engine_factory,
    environment,
    examples,
    facts,
    fixtures,
    leasing,
    probing,
    remote,
    reruns,
)
from paddock.plugin.attempts import Attempts
from paddock.plugin.books import Books
from paddock.plugin.closing import PLUGIN as CLOSING
from paddock.plugin.closing import Closing
from paddock.plugin.courses import Courses
from paddock.plugin.doings import Doings
from paddock.plugin.evidence import PLUGIN as EVIDENCE
from paddock.plugin.evidence import Evidence
from paddock.plugin.forecasting import PLUGIN as FORECASTING
from paddock.plugin.forecasting import Forecasting
from paddock.plugin.hanging import PLUGIN as HANGING
from paddock.plugin.hanging import Hanging
from paddock.plugin.ledger import Exit
from paddock.plugin.live import PLUGIN as LIVE
from paddock.plugin.live import Live
from paddock.plugin.losses import Losses
from paddock.plugin.missing_sources import MissingSources
from paddock.plugin.options import told
from paddock.plugin.plans import Plans, needs
from paddock.plugin.staffing import Staffing
from paddock.plugin.terminal import Progress, Terminal
from paddock.plugin.timekeeping import Timekeeper
from paddock.plugin.xdist_seam import Nodes, NothingSaidError, lost, plan_workers
from paddock.scheduling import crashes
from paddock.scheduling.elastic import ElasticScheduling
from paddock.scheduling.planned import PlannedScheduling
from paddock.services import placeholders
from paddock.specs import Way
from paddock.workers.choice import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from types import ModuleType

    from xdist.scheduler import Scheduling
    from xdist.workermanage import WorkerController

    from paddock.engines.protocol import Engine, WorkerStream
    from paddock.plugin.auto import AutoWorkers
    from paddock.scheduling.elastic import Front, Stage
    from paddock.scheduling.sizing import Left
    from paddock.settings.resolution import Settings
    from paddock.specs import Doing


class Controller:
    """One run in namespaces, from its engine to its verdict."""

    def __init__(self, config: pytest.Config, settings: Settings, here: Mapping[str, str]) -> None:
        self.settings = settings
        self.terminal = Terminal(config)
        self.engine: Engine | None = None
        self._config = config
        self._auto = cast("AutoWorkers", config.pluginmanager.get_plugin(auto.PLUGIN))
        ahead = str(config.rootpath) if settings.reuse else ""
        self._variables = environment.travelling(here, settings.variables, ahead) | facts.plain(settings.templates)
        self._progress = Progress(self.terminal)
        known = placeholders.variables(settings.services)
        told = facts.told(config, settings.templates, known) | fixtures.told(settings.fixture_choices())
        told = {**told, "retries": settings.retry, "probes": probing.told(settings.hardware, settings.devices)}
        doings = Doings(self._note)
        self._courses = Courses(lambda worker: self.engine.way(worker) if self.engine else Way())
        self._live = Live(config, self.terminal, self._courses)
        self._books = Books(self.terminal)
        self._timekeeper = Timekeeper(config.rootpath / settings.history, self.terminal)
        self._evidence = Evidence(lambda: self.engine, settings.evidence)
        self._hanging = Hanging(lambda: self._nodes, self._evidence.add, self.terminal.line, settings.test_limit)
        hear = self._hanging.beside(leasing.telling(self.terminal.line, doings.hear))
        self._nodes = Nodes(config, self._open, hear, told, settings.limits.start, self._assist)
        self._losses = Losses(config, self._nodes, self._books, self.terminal, doings.last_tests, self._evidence)
        self._staffing = Staffing(self._nodes.roster, self.terminal, self._nodes.cancel, self._nodes.let_go)
        self._closing = Closing(config, self.terminal, self._courses, self._timekeeper, self._group_of)
        self._attempts = Attempts(settings.retry or 0, self._run_again)
        self._forecasting = Forecasting(self._foretell)
        self._timekeeper.kinds = self._kinds_of
        self._sent = ""
        self._workers: list[str] = []
        self._unheard: set[str] = set()
        """Workers of which xdist has heard neither a collection nor an end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Begin the namespaces before anything else: they are made while pytest gets ready."""
        config.pluginmanager.register(self._books, "paddock-books")
        config.pluginmanager.register(self._evidence, EVIDENCE)
        config.pluginmanager.register(self._timekeeper, "paddock-timekeeper")
        config.pluginmanager.register(self._hanging, HANGING)
        config.pluginmanager.register(self._live, LIVE)
        config.pluginmanager.register(self._closing, CLOSING)
        self._live.expected = self._timekeeper.expected
        self._live.step = lambda: self._progress.current
        config.pluginmanager.register(reruns.Reruns(config, self._attempts), reruns.PLUGIN)
        self._workers = plan_workers(config)
        known = auto.earlier(config, self.settings)
        first = self._staffing.plan(self._workers, len(auto.known_units(config, self.settings, known)))
        if self.settings.hardware:
            config.pluginmanager.register(self._forecasting, FORECASTING)
        self._closing.asked = len(self._workers)
        with told():
            request = engine_factory.make_request(config, self.settings, self._variables)
            self._sent = summary(request.sources)
            config.pluginmanager.register(MissingSources(request.sources), "paddock-missing-sources")
            try:
                self.engine = engine_factory.find(config)(self.settings.engine, request, self._progress.step)
                self._losses.engine = self._staffing.engine = self.engine
                self._foretell(auto.seconds_with_hardware(config, self.settings, known, len(first)))
                self.engine.begin(first)
            except InfrastructureError as error:
                pytest.exit(f"paddock: {error}", returncode=Exit.INFRASTRUCTURE_FAILED)

    def _open(self, worker: str) -> WorkerStream:
        if self.engine is None:
            raise InfrastructureError(f"the worker {worker} was asked for before its engine was there")
        self._staffing.await_turn(worker)
        self._losses.await_place(worker)
        try:
            return self.engine.open(worker, self.terminal.worker_line)
        except UsageError as error:  # only the cluster could know: a manifest that it refuses, a run id that is taken
            self._books.mistake(str(error))
            raise

    def _assist(self, worker: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.engine is None:
            raise InfrastructureError(f"the worker {worker} asked for something before its engine was there")
        if probing.SICK in order:
            self._losses.device_is_sick(worker, order[probing.SICK])
            return {"failure": ""}
        return self.engine.assist(worker, order)

    def _note(self, worker: str, doing: Doing) -> None:
        self._courses.note(worker, doing)
        if self.engine is not None:
            self.engine.note(worker, doing)

    def pytest_report_header(self) -> str:
        """Name the run, so that it can be found in the cluster and repeated."""
        seed = self._variables[environment.HASH_SEED]
        sources = f"sources {self._sent}" if self._sent else ""
        lines = (self._auto.line(len(self._workers)), self._staffing.line(), sources)
        return (
            f"paddock: run {self.settings.run_id}, engine {self.settings.engine}, "
            f"{len(self._workers)} workers, {environment.HASH_SEED}={seed}"
            + "".join(f"\npaddock: {line}" for line in lines if line)
        )

    # ---- workers

    @pytest.hookimpl(tryfirst=True)
    def pytest_xdist_setupnodes(self) -> None:
        """Take over the making of workers before the first one is made."""
        self._nodes.attach()
        self._nodes.hold_reports(self._attempts)

    @pytest.hookimpl(trylast=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Complete a worker's input, after all plugins, and begin its process."""
        self._unheard.add(node.gateway.id)
        self._courses.enter(node.gateway.id)
        self._losses.enter(node.gateway.id)
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
        if self.engine and not self._staffing.has_heard:
            for line in self.engine.remarks():
                self.terminal.line(line)
        self._staffing.hear(node.gateway.id)
        self._unheard.discard(node.gateway.id)
        if self.engine is not None:
            self.engine.begun(node.gateway.id)

    @pytest.hookimpl(wrapper=True)
    def pytest_xdist_make_scheduler(self) -> Generator[None, Scheduling, Front]:
        """Put our planner in the place of xdist's schedulers; a user's own begins without waiting for every worker."""
        inner = yield
        if crashes.is_stock(inner, self._config.option.dist):
            history = self._timekeeper.history
            nodes = self._nodes
            plans = Plans(self._config, self.settings, history, nodes.marks, nodes.refuse, self._leave_out)
            planned = PlannedScheduling(plans.plan, self, config=self._config, capabilities=self._held_by(plans))
            self._live.left = planned.left
            self._forecasting.left = lambda: planned.left_of_hardware() if plans.knows_hardware else None
            return planned
        crashes.tell_groups(inner, self._group_of)
        return ElasticScheduling(inner, self)

    def _held_by(self, plans: Plans) -> Callable[[str], Mapping[str, int]]:
        holds = self.engine.holds_hardware if self.engine else lambda _: False
        return lambda worker: plans.capabilities if holds(worker) else {}

    def _foretell(self, seconds: float | None) -> None:
        if self.engine is not None and self.settings.hardware:
            self.engine.foretell(seconds)

    def _kinds_of(self, node_id: str) -> list[str]:
        return [kind for kind, _ in needs(self._nodes.marks.get(node_id, {}))]

    def _group_of(self, node_id: str) -> str:
        return str(self._nodes.marks.get(node_id, {}).get("group", ""))

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
        self._unheard.discard(worker)
        output = getattr(node, "workeroutput", {})
        self._timekeeper.used.hear(output)
        coverage_data.save(self._config, worker, output)
        examples.save(self._config.invocation_params.dir / examples.FOLDER, output)
        if why is not None:
            self._losses.never_came(node, why)
            self._end_without_workers()
        elif error:
            self._staffing.lose(worker)
            self._losses.went(node)
        else:
            self._staffing.finished(worker, wanted=self._evidence.concerns(worker))
            if self._nodes.has_pending:
                self._end_without_workers()

    def _end_without_workers(self) -> None:
        if self._staffing.is_left_alone and not self._nodes.is_ending:
            self._books.fault("No worker is left to run tests.")
            self._nodes.stop("no worker is left to run tests")

    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Add to a crashed test's report why its worker went away, and have a test run again that it spares."""
        cause, worker = self._losses.explain(report), report.node.gateway.id
        spares = None if self._hanging.has_ended(worker) else cause
        if self._attempts.crashed(report, worker, spares):
            self.terminal.line(f"{report.nodeid} runs again on another worker", yellow=True)

    def _run_again(self, test: str, avoiding: str) -> bool:
        return not self._nodes.is_stopped and bool(self._nodes.scheduler.run_again(test, avoiding))

    def _leave_out(self, node_ids: Sequence[str], sentence: str) -> None:
        self._books.leave_out(node_ids)
        self.terminal.line(sentence)

    # ---- the scheduler's outlook

    def awaited(self) -> int:
        """Return how many workers may come and collect any moment, as far as xdist has heard."""
        return len(self._staffing.awaited())

    def missing(self) -> int:
        """Return how many workers have not collected, as far as xdist has heard."""
        return len(self._staffing.missing())

    def stage(self, worker: str, test: str) -> Stage:
        """Return how far a test has come on a worker."""
        return self._attempts.stage(worker, test)

    def wake_after(self, seconds: float) -> None:
        """Have xdist's loop look around after some time."""
        self._nodes.wake_after(seconds)

    def ask_worker(self, *, needed: bool) -> bool:
        """Have one more worker made, and say so, unless there are as many as there may be."""
        if self._staffing.ask_one():
            return True
        if not needed and len(self._nodes.roster.alive()) >= len(self._workers):
            return False
        self.terminal.line("one more worker is made: a failed test runs again, and no other is left to run it")
        self._nodes.add()
        return True

    def after_event(self, *, finished: bool) -> None:
        """End the workers that are still starting once nobody needs them: xdist would wait for them."""
        if finished and (awaited := self._staffing.awaited()):
            self._live.over_without(awaited)
        if finished or self._nodes.is_ending:
            self._staffing.end()
            self._nodes.cancel_awaited()
        if pause := self._books.tell_lost(len(self._unheard)):
            self._nodes.wake_after(pause)

    def staff(self, left: Callable[[], Left]) -> bool:
        """Have as many workers as the rest of the run can use; return whether some are still in reserve."""
        return not self._nodes.is_ending and self._staffing.staff(left)

    def began_without(self) -> None:
        """Tell that the run has begun on fewer workers than it was given."""
        self._staffing.tell()

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
        try:
            self._hanging.interrupted()
            self._nodes.interrupt()
            self._nodes.roster.wait_until_gone(self.settings.grace)
            self._hanging.tell(self._nodes.roster.alive(), anew=True)
        except KeyboardInterrupt:
            self._hanging.tell(self._nodes.roster.alive(), anew=False)
            self.terminal.line("interrupted again: workers are ended without tearing down")
        self._nodes.kill()

    def close(self) -> None:
        """End what still runs on this side, and tell what pytest's summary did not; idempotent."""
        self._progress.end()
        self._live.close()
        self._losses.close()
        self._staffing.close()
        self._hanging.close()
        self._nodes.close()
        self._books.tell()


def _has_line(entry: Any) -> bool:  # noqa: ANN401 - pytest does not export the type
    """Whether pytest can show the entry: a signal may fall on an instruction that belongs to no line."""
    try:
        return bool(entry.lineno >= 0)
    except TypeError:
        return False
