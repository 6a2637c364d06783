"""What the platform's nodes and jobs look like in several verbs."""

from __future__ import annotations

import pytest

from athanor.cli import overview


@pytest.mark.parametrize(
    ("ready", "cordoned", "said"),
    [
        ("True", False, "Ready"),
        ("True", True, "Ready,SchedulingDisabled"),
        ("Unknown", True, "NotReady,SchedulingDisabled"),
    ],
)
def test_a_node_is_called_as_kubectl_calls_it(ready: str, cordoned: bool, said: str) -> None:
    node = {
        "metadata": {"name": "n"}, "spec": {"unschedulable": True} if cordoned else {},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }  # fmt: skip
    assert overview.state(overview.node_line(node, [])) == said
