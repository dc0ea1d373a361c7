"""What is told of pods and events once they have gone: whole, in order, and nothing secret."""

from __future__ import annotations

from typing import Any

import yaml

from paddock.namespaces.describing import described, table, timeline


def event(**fields: Any) -> dict[str, Any]:
    """Return an event, without times unless they are given."""
    about = {"kind": "Pod", "name": "worker"}
    return {"metadata": {}, "involvedObject": about, "type": "Normal", "reason": "Made", "message": "It was."} | fields


def pod(name: str = "worker", **status: Any) -> dict[str, Any]:
    """Return a pod with a secret in its environment and in its command."""
    container = {"name": name, "image": "image:1", "command": ["say", "hunter2"], "env": [{"value": "hunter2"}]}
    spec = {"nodeName": "node-1", "containers": [container]}
    return {"metadata": {"name": name, "creationTimestamp": "2026-01-02T03:04:05Z"}, "spec": spec, "status": status}


def terminated(**how: Any) -> dict[str, Any]:
    """Return the status of the worker's container that has ended."""
    return {"name": "worker", "restartCount": 2, "state": {"terminated": how}}


def test_events_stand_in_the_order_in_which_they_were_seen_last() -> None:
    """Each component gives times of its own kind, with fractions or without."""
    lines = timeline(
        [
            event(reason="Third", series={"lastObservedTime": "2026-01-02T03:04:07.5Z", "count": 9}, eventTime="x"),
            event(reason="Second", lastTimestamp="2026-01-02T03:04:06Z", firstTimestamp="2026-01-02T03:00:00Z"),
            event(reason="First", eventTime="2026-01-02T03:04:05.999999Z", lastTimestamp=None),
            event(reason="Zeroth", metadata={"creationTimestamp": "2026-01-02T03:04:05Z"}),
            event(reason="Unknown"),
        ]
    ).splitlines()
    assert [line.split()[-4] for line in lines[1:-1]] == ["Zeroth", "First", "Second"]
    assert "Unknown" in lines[0]
    assert lines[-1].endswith("Third     pod/worker   It was. (x9)")
    assert lines[-1].startswith("2026-01-02T03:04:07.500+00:00")


def test_a_message_of_several_lines_stays_in_its_row() -> None:
    """One event is one line."""
    assert timeline([event(message="a\nb\n  c")]).count("\n") == 1


def test_no_events_are_an_empty_file() -> None:
    """There is nothing to align."""
    assert timeline([]) == ""


def test_the_table_tells_states_and_what_has_gone() -> None:
    """The reason that a pod does not run is in its row."""
    over = pod(phase="Failed", containerStatuses=[terminated(reason="OOMKilled")])
    text = table({"worker": over, "broker": pod("broker", phase="Running", reason="x")}, gone=["broker"])
    heads, worker, broker = text.splitlines()
    assert heads.split() == ["POD", "PHASE", "RESTARTS", "MADE", "ADDRESS", "NODE", "STATE"]
    assert "OOMKilled" in worker or "memory limit" in worker
    assert worker.split()[2] == "2"
    assert "gone; last seen: " in broker


def test_the_description_has_what_explains_a_state_and_no_secret() -> None:
    """Neither environment nor command of a container is in it."""
    condition = {"type": "Ready", "status": "False", "reason": "Unready", "message": "no", "lastTransitionTime": "then"}
    one = pod(phase="Failed", conditions=[condition], containerStatuses=[terminated(exitCode=137, reason="OOMKilled")])
    text = described([{"metadata": {"name": "ns", "deletionTimestamp": "now"}, "spec": {"finalizers": ["f"]}}, one])
    namespace, shown = yaml.safe_load_all(text)
    assert namespace == {"name": "ns", "deleted": "now", "finalizers": ["f"]}
    assert shown["conditions"] == ["Ready=False then Unready no"]
    assert shown["containers"]["worker"]["state"] == {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert "hunter2" not in text
