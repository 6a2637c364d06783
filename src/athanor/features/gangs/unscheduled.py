"""What pods of others that wait are told: the condition and the Event that kube-scheduler writes.

Autoscalers read the condition, `kubectl describe pod` shows the Event. Binding ends the condition.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from athanor.api.core import Pod, PodCondition
from athanor.api.meta import set_condition, to_manifest
from athanor.api.registry import of
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Patch, Record, head

PAUSE = 30.0
"""Seconds until a pod that knows why it waits hears of other numbers: they change with every gang
that starts, and a group may have a thousand pods."""
PODS = of(Pod)


def told(pods: Iterable[Pod], why: str, now: float) -> tuple[list[Patch | Record], float | None]:
    """The writes that tell pods why they wait, and seconds until more may be written."""
    patches: list[Patch] = []
    events: list[Record] = []
    later: list[float] = []
    for pod in pods:
        have = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        news = PodCondition(
            type="PodScheduled", status="False", reason="Unschedulable", message=why,
            last_probe_time=rfc3339(now),
        )  # fmt: skip
        if not _waits(pod) or (have is not None and _said(have) == _said(news)):
            continue
        pause = _heard(have) + PAUSE - now if have is not None else 0.0
        if pause > 0:
            later.append(pause)
            continue
        conditions = set_condition(pod.status.conditions, news, rfc3339(now))
        meta = pod.metadata
        patches.append(Patch(
            resource=PODS, name=meta.name, namespace=meta.namespace,
            body={"status": {"conditions": [to_manifest(c) for c in conditions]}},
            subresource="status", resource_version=meta.resource_version,
        ))  # fmt: skip
        events.append(Record(
            about=head(PODS, meta.namespace, meta.name, meta.uid), type="Warning",
            reason="FailedScheduling", message=why,
        ))  # fmt: skip
    return [*patches, *events], min(later, default=None)


def _waits(pod: Pod) -> bool:
    unplaced = not pod.spec.node_name and pod.status.phase in ("", "Pending")
    return unplaced and pod.metadata.deletion_timestamp is None


def _said(one: PodCondition) -> PodCondition:
    """What it says, whenever that was."""
    return msgspec.structs.replace(
        one, last_probe_time=None, last_transition_time=None, observed_generation=None
    )


def _heard(one: PodCondition) -> float:
    """When we told it, in seconds since the epoch; 0: somebody else wrote it."""
    ours = one.reason == "Unschedulable" and one.last_probe_time
    return parse_rfc3339(one.last_probe_time) if ours and one.last_probe_time else 0.0
