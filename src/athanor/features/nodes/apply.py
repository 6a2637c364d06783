"""The nodes controller as data, for a manager to run."""

from __future__ import annotations

from athanor.api.core import Lease, Node, Pod
from athanor.features.nodes.observe import (
    PODS_LEFT,
    Observed,
    missing_of,
    node_of,
    observe,
    on_node,
)
from athanor.features.nodes.plan import Memory
from athanor.features.nodes.plan import plan as decide
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.plan import Plan


def controller() -> Controller[Observed]:
    """Nodes: heartbeats → Ready. What it has seen so far lives as long as the controller."""
    memory: Memory = {}

    def plan(observed: Observed, now: float) -> Plan:
        nonlocal memory
        made, memory = decide(observed, memory, now)
        return made

    return Controller(
        name="nodes",
        watches=(
            Watch(Node),
            Watch(Lease, node_of),
            Watch(Pod, missing_of, indexes={PODS_LEFT: on_node}),
        ),
        observe=observe,
        plan=plan,
    )
