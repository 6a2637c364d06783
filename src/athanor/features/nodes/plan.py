"""Is the node silent? By our own clock: the lease was seen unchanged for so long.

The node's clock is never compared with ours. A laptop that slept, or a controller that stood
still, has not watched: it starts counting again, so waking up evicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from athanor.api.core import Node, Pod
from athanor.api.meta import Condition, set_condition, to_manifest
from athanor.api.registry import of
from athanor.features.nodes.observe import Observed
from athanor.kit.times import rfc3339
from athanor.runtime.plan import Action, Delete, Patch, Plan, Record, head

NODES, PODS = of(Node), of(Pod)

SILENT_AFTER = 40.0
"""Seconds without a heartbeat after which a node does not answer (Kubernetes' own default)."""
LOOK_EVERY = 5.0
SLEPT_AFTER = 4 * LOOK_EVERY
"""Seconds between two looks that mean: nobody was watching."""
OURS = "NodeStatusUnknown"
QUARANTINE = 40.0
"""Seconds that a node must be missing before its pods are cleared away (Kubernetes' own)."""
GONE = "gone"


class Seen(Struct, frozen=True):
    """The last heartbeat of a node, since when it is known, and when we last looked."""

    beat: str
    since: float
    looked: float


Memory = Mapping[str, Seen]


def plan(observed: Observed, memory: Memory, now: float) -> tuple[Plan, Memory]:
    """What to say about a node, and what to remember."""
    if observed.node is None:
        return _left(observed.pods, memory, now)
    name = observed.node.metadata.name
    known = seen = memory.get(name)
    if seen is None or seen.beat != observed.beat or not 0 <= now - seen.looked < SLEPT_AFTER:
        seen = Seen(observed.beat, now, now)
    seen = msgspec.structs.replace(seen, looked=now)
    silent = now - seen.since >= SILENT_AFTER
    renewed = known is not None and known.beat != observed.beat
    actions = _say(observed.node, silent, renewed=renewed, now=now)
    return Plan(tuple(actions), LOOK_EVERY), {**memory, name: seen}


def _left(pods: Sequence[Pod], memory: Memory, now: float) -> tuple[Plan, Memory]:
    """Clear away what a node left that there is none of, once that has been so for a while."""
    name = pods[0].spec.node_name
    seen = memory.get(name)
    if seen is None or seen.beat != GONE or not 0 <= now - seen.looked < SLEPT_AFTER:
        seen = Seen(GONE, now, now)
    seen = msgspec.structs.replace(seen, looked=now)
    actions = (
        [a for pod in pods for a in _clear(pod, now)] if now - seen.since >= QUARANTINE else []
    )
    return Plan(tuple(actions), LOOK_EVERY), {**memory, name: seen}


def _clear(pod: Pod, now: float) -> Iterator[Action]:
    meta = pod.metadata
    if pod.status.phase not in ("Succeeded", "Failed"):
        why = Condition(
            type="DisruptionTarget", status="True", reason="DeletionByPodGC",
            message="PodGC: node no longer exists",
        )  # fmt: skip
        said = [to_manifest(c) for c in set_condition(pod.status.conditions, why, rfc3339(now))]
        yield Patch(
            resource=PODS, name=meta.name, namespace=meta.namespace, subresource="status",
            body={"metadata": {"uid": meta.uid}, "status": {"phase": "Failed", "conditions": said}},
        )  # fmt: skip
    yield Delete(
        resource=PODS, name=meta.name, namespace=meta.namespace, uid=meta.uid, grace_seconds=0
    )


def _say(node: Node, silent: bool, renewed: bool, now: float) -> list[Action]:
    conditions = node.status.conditions
    ready = next((c for c in conditions if c.type == "Ready"), None)
    if silent and ready is not None and ready.status == "True":
        message = f"no heartbeat for {SILENT_AFTER:.0f} s"
        news = Condition(type="Ready", status="Unknown", reason=OURS, message=message)
    elif ready is not None and ready.reason == OURS and renewed and not silent:
        news = Condition(type="Ready", status="True", reason="KubeletReady", message="it beats")
    else:
        return []
    body = {
        "status": {
            "conditions": [to_manifest(c) for c in set_condition(conditions, news, rfc3339(now))]
        }
    }
    meta = node.metadata
    return [
        Patch(
            resource=NODES, name=meta.name, body=body, subresource="status",
            resource_version=meta.resource_version,
        ),
        Record(
            about=head(NODES, "", meta.name, meta.uid),
            type="Warning" if silent else "Normal",
            reason="NodeNotReady" if silent else "NodeReady",
            message=news.message,
        ),
    ]  # fmt: skip
