"""Where engines come from, and what the run asks of them.

Tests put an engine of their own in place by registering a callable as the plugin named ``PLUGIN``.
It must not know what engines do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import pytest

from paddock.engines.request import RunRequest
from paddock.plugin import examples
from paddock.specs import Artifacts
from paddock.workers.choice import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from paddock.engines.protocol import Engine
    from paddock.settings.resolution import Settings

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
    from paddock import engines  # noqa: PLC0415 - the real one loads the cluster's client

    return engines.create


def make_request(config: pytest.Config, settings: Settings, variables: Mapping[str, str]) -> RunRequest:
    """Return the run as an engine is asked for it.

    Raises:
        pytest.UsageError: rootdir and the current folder lie beside one another.
        UsageError: the sources cannot be sent as they are; see ``workers.choice.choose``.
    """
    working_directory = config.invocation_params.dir
    root = _source_root(config.rootpath, working_directory)
    return RunRequest(
        run_id=settings.run_id,
        root=root,
        working_directory=working_directory,
        environment=variables,
        limits=settings.limits,
        deadline=settings.deadline,
        context=settings.context,
        kubeconfig=settings.kubeconfig,
        worker_memory=settings.worker_memory,
        worker_cpu=settings.worker_cpu,
        images=settings.image_choices(config.rootpath),
        sources=choose(
            root,
            include=settings.include,
            also=[str((working_directory / examples.FOLDER).relative_to(root))],
            exclude=settings.exclude,
            limit=settings.sources_size,
        ),
        artifacts=_artifacts(config.rootpath, settings),
        uid=settings.uid,
        security=settings.security,
        pull_credentials=config.rootpath / settings.pull_credentials if settings.pull_credentials else None,
        additions=settings.additions,
        services=settings.services,
    )


def _artifacts(rootdir: Path, settings: Settings) -> Artifacts | None:
    if not settings.artifacts:
        return None
    folder = rootdir / settings.artifacts_folder
    return Artifacts(patterns=settings.artifacts, folder=folder, size=settings.artifacts_size)


def _source_root(rootdir: Path, working_directory: Path) -> Path:
    for outer, inner in ((rootdir, working_directory), (working_directory, rootdir)):
        if inner.is_relative_to(outer):
            return outer
    raise pytest.UsageError(
        f"pytest's rootdir {rootdir} and the current folder {working_directory} lie beside one another, "
        f"but one folder's sources are sent to the workers: start pytest inside the project.",
    )
