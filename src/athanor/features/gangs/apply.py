"""The gangs controllers as data, for a manager to run: of our gangs, and of the pods of others."""

from __future__ import annotations

from athanor.api.core import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Service,
    StorageClass,
)
from athanor.api.scheduling import Gang
from athanor.features.gangs import foreign
from athanor.features.gangs.consumers import MOUNTS, mounted_by
from athanor.features.gangs.lean import lean
from athanor.features.gangs.observe import (
    ADOPTS,
    PODS_ON_NODE,
    Observed,
    adopted_by,
    gang_of,
    gangs_matter,
    gangs_of_class,
    gangs_of_volume,
    gangs_on,
    gangs_with,
    node_of,
    observe,
)
from athanor.features.gangs.plan import plan as plan_gang
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.indexes import PODS_OF_GANG, pods_of_gang
from athanor.runtime.plan import Plan

SETTLE = 0.02
"""Seconds between a pod's change and the look at its gang: a gang's pods change in flocks."""
REST, LONGEST_REST = 32, 2.0
"""How many times as long as the last look at a gang took its pods' changes wait, and seconds they
wait at most: most of a second where thousands of ranks start and end one by one, nothing that is
felt where there are a few.
"""


def controller() -> Controller[Observed]:
    """Gangs: admission → pods → status."""
    return Controller(
        name="gangs",
        watches=(
            Watch(Gang, gangs_matter, {ADOPTS: adopted_by, MOUNTS: mounted_by}),
            Watch(Pod, gang_of, {PODS_OF_GANG: pods_of_gang, PODS_ON_NODE: node_of}, SETTLE, lean),
            Watch(Service, gang_of),
            Watch(Node, gangs_on),
            Watch(PersistentVolumeClaim, gangs_with),
            Watch(StorageClass, gangs_of_class),
            Watch(PersistentVolume, gangs_of_volume),
        ),
        observe=observe,
        plan=plan_gang,
        rest=REST,
        longest_rest=LONGEST_REST,
    )


def adopter(*, stamped: bool = True) -> Controller[foreign.Observed]:
    """Pods of others that name this scheduler → Gangs that adopt them.

    `stamped`: the server writes into pods who submitted them; else they may say what they like.
    """

    def plan(seen: foreign.Observed, now: float) -> Plan:
        return foreign.plan(seen, now, stamped=stamped)

    return Controller(
        name="foreign-pods",
        watches=(
            Watch(Pod, foreign.group_of, {foreign.GROUP: foreign.grouped}, SETTLE),
            Watch(Gang, foreign.group_of_gang, {foreign.GANGS_OF: foreign.made_for}),
        ),
        observe=foreign.observe,
        plan=plan,
    )
