"""Arguments and configuration files of every component, as a person would review them.

Run with ``PADDOCK_UPDATE_GOLDEN=1`` after a change that is meant, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.node import configuration
from paddock.node.components import Component, components
from paddock.node.layout import NodeLayout, Ports
from tests.unit.node.layouts import layout

LAYOUTS = {
    "cgroup-v1": layout(),
    "cgroup-v2": layout(
        cgroup_version=2,
        restrict_oom_score_adj=False,
        name_servers=(),
        ports=Ports(registry=5056, kubelet=10251),
        pod_network="10.245.0.0/16",
    ),
}


def described(component: Component) -> str:
    """Return a component as text, an argument per line."""
    environment = [f"  {name}={value}" for name, value in component.environment.items()]
    ready = f"  ready: {component.check.value} {component.target}".rstrip()
    early = [f"  serving: {component.check.value} {component.early_target}"] if component.early_target else []
    after = [f"  after: {', '.join(component.after)}"] if component.after else []
    after += [f"  after serving: {', '.join(component.after_serving)}"] if component.after_serving else []
    return "\n".join(
        [component.name, *after, *early, ready, *environment, *(f"    {part}" for part in component.arguments)]
    )


def written(subject: NodeLayout) -> str:
    """Return everything that decides how the node of a layout is started."""
    arguments = "\n\n".join(map(described, components(subject)))
    files = (f"=== {name}\n{text}" for name, text in configuration.files(subject).items())
    return "\n".join([arguments, "", *files])


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_a_node_is_started_as_reviewed(name: str) -> None:
    """Nothing about how the components are started changes unseen."""
    golden = Path(__file__).with_name(f"{name}.golden.txt")
    now = written(LAYOUTS[name])
    if os.environ.get("PADDOCK_UPDATE_GOLDEN"):
        golden.write_text(now)
    assert now == golden.read_text()


def test_every_component_stands_behind_what_it_waits_for() -> None:
    """The order of the table is an order of starting, and reversed one of stopping."""
    seen: set[str] = set()
    for component in components(layout()):
        assert {*component.after, *component.after_serving} <= seen
        seen.add(component.name)
