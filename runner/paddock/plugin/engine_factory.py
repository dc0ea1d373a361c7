"""Where engines come from, and what the run asks of them.

Tests put an engine of their own in place by registering a callable as the plugin named ``PLUGIN``.
It must not know what engines do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from paddock import engines
from paddock.engines import broker_access
from paddock.engines.request import RunRequest
from paddock.plugin import examples
from paddock.specs import Artifacts, Keep, Report
from paddock.workers.choice import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from paddock.engines.protocol import Engine
    from paddock.engines.room import Room
    from paddock.settings.resolution import Settings
    from paddock.specs import BrokerAccess
    from paddock.workers.sources import SourceSet

PLUGIN = "paddock-engine-factory"


class EngineFactory(Protocol):
    """What makes an engine; ``paddock.engines.create`` is the one in use."""

    def __call__(self, name: str, request: RunRequest, report: Callable[[str], None]) -> Engine:
        """Return the engine called ``name``; ``report`` may be called from any thread, with a step's name."""


def find(config: pytest.Config) -> EngineFactory:
    """Return the factory a test has put in place, or the real one."""
    replaced = config.pluginmanager.get_plugin(PLUGIN)
    if replaced is not None:
        return cast("EngineFactory", replaced)
    return engines.create


def room(config: pytest.Config, settings: Settings) -> Room:
    """Return what the run's engine has free for its workers.

    Raises:
        UsageError: the request cannot be meant.
        InfrastructureError: nobody could be asked.
    """
    replaced = config.pluginmanager.get_plugin(PLUGIN)
    if replaced is not None:
        return cast("Room", replaced.room())
    return engines.room(settings.engine, _without_sources(config, settings, {}))


def make_request(config: pytest.Config, settings: Settings, variables: Mapping[str, str]) -> RunRequest:
    """Return the run as an engine is asked for it.

    Raises:
        pytest.UsageError: rootdir and the current folder lie beside one another.
        UsageError: the sources cannot be sent as they are; see ``workers.choice.choose``.
    """
    request = _without_sources(config, settings, variables)
    return replace(request, sources=_sources(settings, request))


def _without_sources(config: pytest.Config, settings: Settings, variables: Mapping[str, str]) -> RunRequest:
    """Return the request as far as it costs nothing to know."""
    working_directory = config.invocation_params.dir
    is_local = settings.engine == engines.LOCAL
    root = config.rootpath if is_local else _source_root(config.rootpath, working_directory)
    return RunRequest(
        run_id=settings.run_id,
        root=root,
        working_directory=working_directory,
        environment=variables,
        limits=settings.limits,
        deadline=settings.deadline,
        lease_duration=settings.lease_duration,
        context=settings.context,
        kubeconfig=settings.kubeconfig,
        worker_memory=settings.worker_memory,
        worker_cpu=settings.worker_cpu,
        images=settings.image_choices(config.rootpath),
        artifacts=_artifacts(config.rootpath, settings),
        report=_report(config.rootpath, settings),
        uid=settings.uid,
        security=settings.security,
        pull_credentials=config.rootpath / settings.pull_credentials if settings.pull_credentials else None,
        additions=settings.additions,
        services=settings.services,
        hardware=settings.hardware,
        hardware_workers=settings.hardware_workers,
        devices=settings.devices,
        wait=settings.wait,
        simulate=settings.simulate_hardware,
        keep=Keep(which=settings.keep, ttl=settings.keep_ttl) if settings.keep else None,
        reuse=settings.reuse_ttl if settings.reuse else None,
        shares_broker=not settings.broker_per_worker,
        broker=_broker_access(config.rootpath, settings),
        port_base=settings.port_base,
    )


def _broker_access(rootdir: Path, settings: Settings) -> BrokerAccess:
    given = {
        "accounts": settings.broker_accounts,
        "acl": settings.broker_acl,
        "ca": settings.broker_ca,
        "ca_key": settings.broker_ca_key,
    }
    found = {name: rootdir / file for name, file in given.items() if file}
    return broker_access.read(broker_access.Files(tls=settings.broker_tls, **found), settings.run_id)


def _sources(settings: Settings, request: RunRequest) -> Sequence[SourceSet]:
    """Return what is sent: nothing where workers run in the project itself."""
    if settings.engine == engines.LOCAL:
        return ()
    return choose(
        request.root,
        include=settings.include,
        also=[str((request.working_directory / examples.FOLDER).relative_to(request.root))],
        exclude=settings.exclude,
        limit=settings.sources_size,
    )


def _artifacts(rootdir: Path, settings: Settings) -> Artifacts | None:
    if not settings.artifacts:
        return None
    folder = rootdir / settings.artifacts_folder
    return Artifacts(patterns=settings.artifacts, folder=folder, size=settings.artifacts_size)


def _report(rootdir: Path, settings: Settings) -> Report | None:
    return Report(folder=rootdir / settings.report_folder, size=settings.report_size) if keeps(settings) else None


def keeps(settings: Settings) -> bool:
    """Whether evidence is wanted at all."""
    return settings.evidence != "none"


def _source_root(rootdir: Path, working_directory: Path) -> Path:
    for outer, inner in ((rootdir, working_directory), (working_directory, rootdir)):
        if inner.is_relative_to(outer):
            return outer
    raise pytest.UsageError(
        f"pytest's rootdir {rootdir} and the current folder {working_directory} lie beside one another, "
        f"but one folder's sources are sent to the workers: start pytest inside the project.",
    )
