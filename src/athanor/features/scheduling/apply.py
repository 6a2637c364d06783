"""The scheduling controller as data, for a manager to run."""

from __future__ import annotations

from athanor.api.core import Namespace, Node, Pod, PriorityClass
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.observe import (
    Observed,
    Observer,
    gangs_matter,
    nodes_matter,
    own_pods_aside,
    spec_matters,
    whole,
)
from athanor.features.scheduling.plan import Planner
from athanor.runtime.cache import Key, World
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.plan import Plan

SETTLE = 0.01
"""Seconds between the first change and the look: changes come in flocks."""


def controller(policy: Policy | None = None) -> Controller[Observed]:
    """Queues and gangs → admissions, evictions, reasons."""
    observer, planner = Observer(), Planner(policy)

    def observe(world: World, key: Key) -> Observed | None:
        return observer(world, key)

    def plan(seen: Observed, now: float) -> Plan:
        made = planner(seen, now)
        observer.past = planner.past
        return made

    return Controller(
        name="scheduling",
        watches=(
            Watch(Gang, gangs_matter),
            Watch(Queue, spec_matters),
            Watch(Pool, spec_matters),
            Watch(Reservation, spec_matters),
            Watch(Node, nodes_matter),
            Watch(Pod, own_pods_aside),
            Watch(PriorityClass, whole),
            Watch(Namespace, whole),
        ),
        observe=observe,
        plan=plan,
        settle=SETTLE,
        together=1,
    )
