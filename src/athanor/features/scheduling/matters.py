"""Which changes concern the scheduler: what is asked, offered or held, not every report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from athanor.api import labels
from athanor.api.core import ConfigMap, Node, Pod
from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs
from athanor.features.scheduling.foreign import ENDED
from athanor.runtime.cache import Changed, Key, World

KEY = Key("", "cluster")
"""The one key of this controller: it looks at the whole cluster each time."""


def nobody(change: Changed[ConfigMap], world: World) -> Iterable[Key]:
    """Looked up when there is something to do anyway."""
    return ()


def whole(change: Changed[Any], world: World) -> Iterable[Key]:
    """Every change concerns the one key."""
    return (KEY,)


def spec_matters(change: Changed[Any], world: World) -> Iterable[Key]:
    """Queues and pools concern the scheduler when their specs change, not their statuses."""
    before, after = change
    if before is not None and after is not None and before.spec == after.spec:
        return ()
    return (KEY,)


def use_matters(change: Changed[Pod], world: World) -> Iterable[Key]:
    """Pods concern the scheduler when they begin or end to use a node, not each time they report.

    Those of a gang that holds something are aside: the gang holds what they use.
    """
    before, after = change
    if _used(before) == _used(after) or _held(change.newest, world):
        return ()
    return (KEY,)


def held_pods_matter(change: Changed[Pod], world: World) -> Iterable[Key]:
    """Pods of a gang that holds something come, end or go: neighbours and quotas may wait."""
    before, after = change
    if before is not None and after is not None and _used(before) == _used(after):
        return ()
    return (KEY,) if _held(change.newest, world) else ()


def _used(pod: Pod | None) -> str:
    """The node that a pod uses something of, or ""."""
    return "" if pod is None or pod.status.phase in ENDED else pod.spec.node_name


def _held(pod: Pod, world: World) -> bool:
    name = pod.metadata.labels.get(labels.GANG)
    gang = world.cache(Gang).get(Key(pod.metadata.namespace, name)) if name is not None else None
    return gang is not None and gangs.holds(gang)


def nodes_matter(change: Changed[Node], world: World) -> Iterable[Key]:
    """Nodes concern the scheduler when what they offer or whom they let in changes."""
    before, after = change
    if before is not None and after is not None and offer(before) == offer(after):
        return ()
    return (KEY,)


def offer(node: Node) -> tuple[object, ...]:
    """What a node offers, and whom it lets in."""
    ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "True")
    return node.spec, node.metadata.labels, node.status.allocatable, node.status.capacity, ready


def gangs_matter(change: Changed[Gang], world: World) -> Iterable[Key]:
    """Gangs concern the scheduler when they ask, start to hold or stop to hold something."""
    before, after = change
    if before is not None and after is not None and _stand(before) == _stand(after):
        return ()
    return (KEY,)


def _stand(gang: Gang) -> tuple[object, ...]:
    return (
        gang.metadata.uid, gang.metadata.generation, gang.metadata.deletion_timestamp is None,
        gangs.holds(gang), gangs.waits(gang), gang.status.admission, gangs.steady(gang),
        [(f.pod_set, f.rank, f.node) for f in gang.status.failures if f.platform],
        [(c.succeeded_ranks, c.over_ranks) for c in gang.status.pods if gang.spec.adopts],
    )  # fmt: skip
