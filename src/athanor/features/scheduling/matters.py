"""Which changes concern the scheduler: what is asked, offered or held, not every report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from athanor.api.core import ConfigMap, Node, Pod
from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs
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


def own_pods_aside(change: Changed[Pod], world: World) -> Iterable[Key]:
    """Pods concern the scheduler when what they use appears or ends, not each time they report."""
    before, after = change
    if before is not None and after is not None and _place(before) == _place(after):
        return ()
    return (KEY,)


def _place(pod: Pod) -> tuple[str, bool]:
    return pod.spec.node_name, pod.status.phase in ("Succeeded", "Failed")


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
    )  # fmt: skip
