"""Every worker that went: its cause asked for once, told and recorded, and what follows for its place.

Runs on pytest's thread, but for ``await_place``. It must not know clusters: causes come from the engine.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from paddock.errors import LeaseError
from paddock.namespaces import causes
from paddock.plugin import junit
from paddock.plugin.replacing import Place, Replacements
from paddock.plugin.xdist_seam import max_restarts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from xdist.workermanage import WorkerController

    from paddock.engines.protocol import Engine
    from paddock.plugin.books import Books
    from paddock.plugin.evidence import Evidence
    from paddock.plugin.terminal import Terminal
    from paddock.plugin.xdist_seam import Lost, Nodes
    from paddock.specs import Cause


class Losses:
    """Notes losses; ``last_tests`` says which test a worker was running when it went."""

    def __init__(
        self,
        config: pytest.Config,
        nodes: Nodes,
        books: Books,
        terminal: Terminal,
        last_tests: Mapping[str, str],
        evidence: Evidence,
    ) -> None:
        self.engine: Engine | None = None
        self._config, self._nodes, self._books, self._terminal = config, nodes, books, terminal
        self._last_tests, self._evidence = last_tests, evidence
        self._causes: dict[str, Cause | None] = {}
        self._replacements = Replacements(max_restarts(config))
        self._vacant: Place | None = None
        self._places: dict[str, Place] = {}
        self._over = threading.Event()

    # ---- what happened

    def never_came(self, node: WorkerController, why: Lost) -> None:
        """Note a worker that was lost before it had collected its tests, and have it replaced if that may help."""
        worker = node.gateway.id
        cause = self._cause(worker) if why.unexplained else None
        reason = _reason(why, cause)
        self._books.lose(worker, reason)
        self._note(worker, cause, reason)
        place = self._replacements.lost(worker, cause, worked=False)
        if not place.refusal and not self._nodes.is_ending:
            self._vacant = place
            self._nodes.replace(node)

    def went(self, node: WorkerController) -> None:
        """Note a worker that was lost at work; xdist replaces it right after."""
        worker = node.gateway.id
        cause = self._cause(worker)
        if cause:
            test = self._last_tests.get(worker)
            self._terminal.line(f"{worker} was lost{f' while it ran {test}' if test else ''}: {cause}", yellow=True)
        self._note(worker, cause, str(cause or ""))
        self._vacant = self._replacements.lost(worker, cause, worked=True)

    def device_is_sick(self, worker: str, sick: Mapping[str, str]) -> None:
        """Note why a worker is about to go, in its own words; from any thread, before it is lost."""
        self._causes[worker] = causes.tell(causes.Kind.DEVICE_SICK, **sick)

    def explain(self, report: pytest.TestReport) -> Cause | None:
        """Add to a crashed test's report why its worker went away, and return it."""
        node: Any = getattr(report, "node", None)
        cause = self._cause(node.gateway.id) if node else None
        if cause:
            report.longrepr = f"{report.longrepr}\n{cause}"
            junit.record_test(self._config, report, node.gateway.id, cause)
        return cause

    def _note(self, worker: str, cause: Cause | None, reason: str) -> None:
        self._evidence.lost(worker, reason)
        if cause:
            junit.record_worker(self._config, worker, cause)
        if self.engine is not None:
            self.engine.lose(worker)

    def _cause(self, worker: str) -> Cause | None:
        if worker not in self._causes:  # asked once: it may have to be waited for
            self._causes[worker] = self.engine.cause(worker) if self.engine else None
        return self._causes[worker]

    # ---- what follows

    def enter(self, worker: str) -> None:
        """Note a new worker; it takes the place of the one that was lost last, if xdist has just replaced that."""
        place, self._vacant = self._vacant, None
        if place is None:
            return
        self._replacements.taken(worker, place)
        self._places[worker] = place
        if place.pause and not place.refusal:
            self._terminal.line(f"{worker} takes the place of {place.of} in {place.pause:g} s")

    def await_place(self, worker: str) -> None:
        """Wait until a worker may be asked for; from the thread that asks.

        Raises:
            LeaseError: it may not, or nobody needs it any more.
        """
        place = self._places.get(worker)
        if place is None:
            return
        if place.refusal:
            raise LeaseError(f"{place.of}, whose place it was to take, is not replaced: {place.refusal}.")
        self._over.wait(place.pause)
        if worker not in self._nodes.roster.awaited():
            raise LeaseError(f"Nobody needs {worker} any more.")

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._over.set()


def _reason(why: Lost, cause: Cause | None) -> str:
    if cause is None or cause.sentence in why.reason:
        return why.reason
    return str(cause) if why.silent else f"{why.reason.rstrip('.')}. {cause}"
