"""A run that is printed and not made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.contract.plugin.cases import GREEN

if TYPE_CHECKING:
    from tests.contract.plugin.running import Result, Run


def nothing_was_made(result: Result) -> bool:
    return not (result.folder.parent / "engine.jsonl").exists()


def test_every_object_of_every_worker_is_printed_and_none_is_made(run: Run) -> None:
    """YAML documents, the run's record first; no test is collected, no engine is asked for."""
    result = run("-n2", "--paddock-plan=yaml", "--paddock-run-id=k7x2mq", files=GREEN)
    assert (result.code, result.err) == (0, ""), result
    objects = list(yaml.safe_load_all(result.out))
    named = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert named[:2] == [("Namespace", "paddock-system"), ("Lease", "run-k7x2mq")]
    namespaces = [name for kind, name in named[2:] if kind == "Namespace"]
    assert namespaces == ["paddock-k7x2mq-gw0", "paddock-k7x2mq-gw1"]
    assert named.count(("Pod", "worker")) == 2
    assert nothing_was_made(result)


def test_json_is_one_list_and_credentials_are_masked(run: Run) -> None:
    """As ``kubectl create --dry-run -f -`` takes it; the environment variable asks for it as well."""
    result = run("-n1", files=GREEN, environment={"PADDOCK_PLAN": "json"})
    listed = json.loads(result.out)
    secrets = [one["stringData"] for one in listed["items"] if one["kind"] == "Secret"]
    assert listed["kind"] == "List"
    assert [(one["USERNAME"], one["PASSWORD"]) for one in secrets] == [("paddock", "***"), ("postgres", "***")]
    assert nothing_was_made(result)


def test_the_number_of_workers_is_settled_by_xdist(run: Run) -> None:
    """``-n auto`` and --maxprocesses mean what they mean in a run."""
    result = run("-nauto", "--maxprocesses=1", "--paddock-plan=json", files=GREEN)
    items = json.loads(result.out)["items"]
    assert [one["metadata"]["name"] for one in items if one["kind"] == "Pod"].count("worker") == 1


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("-n2", "--paddock-plan=xml"), "--paddock-plan is 'xml'; expected one of yaml, json."),
        (
            ("--paddock-plan=yaml",),
            "--paddock needs a number of workers above zero: add -n, as in 'pytest --paddock -n 4'.",
        ),
        (("-n2", "--paddock-plan=yaml", "--paddock-context=no-such"), "The kube context 'no-such' does not exist"),
        (
            ("-n2", "--paddock-plan=yaml", "--paddock-engine=local"),
            "--paddock-plan lists what a run would make in a cluster",
        ),
    ],
)
def test_a_mistake_is_told_as_in_a_run(run: Run, args: tuple[str, ...], sentence: str) -> None:
    """One line and exit code 4."""
    result = run(*args, files=GREEN)
    assert result.code == 4, result
    assert f"ERROR: {sentence}" in result.err
    assert result.out == ""
