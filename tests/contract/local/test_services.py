"""Services of a project's own in the local engine: real processes per worker, from the declaration that pods have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.local.conftest import left
from tests.contract.services.suite import FILES, PROJECT, TESTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.contract.plugin.running import Run


def test_declared_services_are_the_same_without_a_cluster(
    run: Run, temporary: Path, redis_programs: Mapping[str, str]
) -> None:
    """By command and by objects: a Redis for each worker, reached by fixture, variable and placeholder."""
    for arguments in (("-n2", "--dist=loadfile"), ("-n0",)):
        result = run(*arguments, files=FILES, environment=redis_programs)
        assert (result.code, result.counts) == (0, {"passed": TESTS}), result
        assert left(temporary) == []


def test_what_cannot_run_here_fails_those_that_ask(run: Run) -> None:
    """A program that is not there, and objects without a command for this machine: one sentence each, with the line."""
    without = PROJECT.replace("redis-server", "no-such-server").replace("local-command", "# local-command")
    text = "def test_c(cache_service): pass\ndef test_q(queue_service): pass\ndef test_other(): pass\n"
    others = {
        "test_isolation.py": "",
        "test_containers.py": "def test_i(service_container): service_container('i', port=1, image='r:7')\n",
    }
    files = {
        **FILES,
        **others,
        "pyproject.toml": without.replace('CACHE_URL = "{cache.url}"', ""),
        "test_services.py": text,
    }
    result = run("-n1", files=files)
    assert (result.code, result.counts) == (1, {"error": 2, "failed": 1, "passed": 1}), result
    assert "runs the image r:7, for which there is no cluster here: say with local_command=" in result.out
    assert "Its program 'no-such-server' is not on this machine: install it" in result.out
    assert "is made of Kubernetes objects, for which there is no cluster here: say with local-command" in result.out
    assert result.out.count("pyproject.toml:5") >= 1, result
