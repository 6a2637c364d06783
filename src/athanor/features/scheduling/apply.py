"""The scheduling controllers as data, for a manager to run: gangs, and pods of no gang."""

from __future__ import annotations

from athanor.api.core import (
    ConfigMap,
    LimitRange,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PriorityClass,
    ResourceQuota,
    StorageClass,
)
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling import record, single
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.matters import (
    gangs_matter,
    held_pods_matter,
    nobody,
    nodes_matter,
    spec_matters,
    use_matters,
    whole,
)
from athanor.features.scheduling.observe import Observed, Observer
from athanor.features.scheduling.plan import Planner
from athanor.runtime.cache import Key, World
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.indexes import PODS_OF_GANG, pods_of_gang
from athanor.runtime.plan import Plan

SETTLE = 0.01
"""Seconds between the first change and the look: changes come in flocks."""
REST = 2.0
"""At most a third of the time goes into looks while changes keep coming."""
HELD = 1.0
"""Seconds from a change of a pod to the look where its gang holds what it uses: few wait for it."""


def controller(
    policy: Policy | None = None, planner: Planner | None = None
) -> Controller[Observed]:
    """Queues and gangs → admissions, evictions, reasons. Who gives the planner can ask it why."""
    observer, planner = Observer(), planner or Planner(policy)

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
            Watch(Pod, use_matters, {PODS_OF_GANG: pods_of_gang}),
            Watch(Pod, held_pods_matter, settle=HELD),
            Watch(PriorityClass, whole),
            Watch(PersistentVolumeClaim, spec_matters),
            Watch(PersistentVolume, whole),
            Watch(StorageClass, whole),
            Watch(Namespace, whole),
            Watch(ResourceQuota, whole),
            Watch(LimitRange, whole),
            Watch(ConfigMap, nobody, trim=record.lean, labels=record.LABEL),
        ),
        observe=observe,
        plan=plan,
        settle=SETTLE,
        rest=REST,
        together=1,
    )


def singles() -> Controller[single.Observed]:
    """Pods that belong to no gang → nodes. Its memory is of bindings the caches do not show yet."""
    memory: single.Memory = {}

    def plan(seen: single.Observed, now: float) -> Plan:
        nonlocal memory
        made, memory = single.plan(seen, memory, now)
        return made

    return Controller(
        name="single-pods",
        watches=(
            Watch(Pod, single.pods_matter, {single.NODELESS: single.nodeless}),
            Watch(Node, single.nodes_free),
            Watch(Gang, single.gangs_free),
        ),
        observe=single.observe,
        plan=plan,
        settle=SETTLE,
        together=1,
    )
