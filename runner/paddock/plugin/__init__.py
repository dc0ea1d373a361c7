"""The pytest plugin's way in: declares the options, and does nothing more unless ``--paddock`` is given.

Every pytest run of an environment with Paddock installed imports this module, so it imports nothing of weight.
In a worker the run is under way already, and ``plugin.remote`` has prepared the process: only what the controller
wants to hear from the worker is registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    from paddock.plugin import options  # noqa: PLC0415 - see the module's docstring

    options.declare(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Refuse what pytest itself would only complain about in its own words, before it does."""
    from paddock.plugin import options  # noqa: PLC0415 - see the module's docstring

    wanted = options.wanted(early_config.known_args_namespace)
    if wanted or options.given(early_config.invocation_params.args):
        from paddock.plugin import checks  # noqa: PLC0415 - see the module's docstring

        checks.check_early(early_config, wanted=wanted)
        if wanted:
            from paddock.plugin.auto import PLUGIN, AutoWorkers  # noqa: PLC0415 - see the module's docstring

            early_config.pluginmanager.register(AutoWorkers(), PLUGIN)
        if options.only_planned(early_config.known_args_namespace):
            from paddock.plugin.planning import Planner  # noqa: PLC0415 - see the module's docstring

            early_config.pluginmanager.register(Planner(), "paddock-planner")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures everywhere, and the worker's side in a worker of ours.

    Outside of ``--paddock`` a fixture says in one sentence where it works, instead of being unknown.
    First of all, so that a conftest's own ``pytest_configure`` sees options with their placeholders replaced.
    """
    from paddock.plugin import fixtures, marks  # noqa: PLC0415 - after the options: a run that only informs is over now

    fixtures.register(config)
    fixtures.make_executors_safe(config)
    for line in marks.DECLARED:  # everywhere, so that a suite runs with and without --paddock
        config.addinivalue_line("markers", line)
    ours = getattr(config, "workerinput", {}).get("paddock")
    if ours is not None:
        from paddock.plugin import worker  # noqa: PLC0415 - see the module's docstring

        worker.prepare(config, ours)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Lay a run of ours around pytest's, if it is wanted."""
    from paddock.plugin import options  # noqa: PLC0415 - see the module's docstring

    if hasattr(config, "workerinput") or not options.wanted(config.option):
        return (yield)
    from paddock.plugin.signals import before_the_run  # noqa: PLC0415 - see the module's docstring

    with before_the_run():  # half of the imports of a run are made here
        from paddock.plugin.session import around  # noqa: PLC0415 - see the module's docstring

    return (yield from around(config))
