"""The gangs controller as data, for a manager to run."""

from __future__ import annotations

from athanor.api.core import Node, Pod, Service
from athanor.api.scheduling import Gang
from athanor.features.gangs.observe import (
    PODS_OF_GANG,
    PODS_ON_NODE,
    Observed,
    gang_of,
    gangs_on,
    node_of,
    observe,
    pods_of_gang,
)
from athanor.features.gangs.plan import plan
from athanor.runtime.controller import Controller, Watch

SETTLE = 0.02
"""Seconds between a pod's change and the look at its gang: a gang's pods change in flocks."""


def controller() -> Controller[Observed]:
    """Gangs: admission → pods → status."""
    return Controller(
        name="gangs",
        watches=(
            Watch(Gang),
            Watch(Pod, gang_of, {PODS_OF_GANG: pods_of_gang, PODS_ON_NODE: node_of}, SETTLE),
            Watch(Service, gang_of),
            Watch(Node, gangs_on),
        ),
        observe=observe,
        plan=plan,
    )
