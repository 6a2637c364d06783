"""Queue and priority where other schedulers read them: labels of the job, priority of its pods.

The same for every kind that is imported.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign.given import Given

KUEUE = "kueue.x-k8s.io/queue-name"
QUEUES = (KUEUE, "volcano.sh/queue-name", "kai.scheduler/queue")
"""Kueue's, and how KubeRay tells Volcano and KAI."""
PRIORITY = "kueue.x-k8s.io/priority-class"
PRIORITIES = (PRIORITY, "ray.io/priority-class-name")
LONGEST = "kueue.x-k8s.io/max-exec-time-seconds"


def read(given: Given, head: JSON, spec: JSON, suspends: str) -> tuple[JSON, JSON]:
    """Metadata without those labels, and the job's spec with what they say; `suspends`: the field
    by which Kueue holds such a job, "" where it does not.

    Raises ValueError for a time that is none.
    """
    labels, notes = head.get("labels") or {}, head.get("annotations") or {}
    if not isinstance(labels, dict):
        return head, spec  # the server says what is wrong with it
    labels, notes = dict(labels), dict(notes)
    ours = dict(spec.get("scheduling") or {})
    held = KUEUE in labels or KUEUE in notes
    for keys, field in ((QUEUES, "queue"), (PRIORITIES, "priorityClassName")):
        for key in keys:
            said = labels.pop(key, None) or notes.pop(key, None)
            if said and ours.setdefault(field, said) != said:
                given.note(_at(key), f"{said}: scheduling.{field} is {ours[field]}")
            elif said and key == PRIORITY:
                given.note(_at(key), f"{said}: a PriorityClass of that name, which has to be there")
    if longest := labels.pop(LONGEST, None):
        if not str(longest).isdecimal():
            raise ValueError(
                f"{given.at(_at(LONGEST))}: {longest!r:.40} is not a number of seconds"
            )
        ours["maxRuntimeSeconds"] = int(longest)
    if "priorityClassName" not in ours and (of_pods := _of_pods(spec)):
        ours["priorityClassName"] = of_pods
    head = {**head, "labels": labels, "annotations": notes}
    spec = {**spec, "scheduling": ours}
    if held and suspends and spec.get("suspend"):
        given.note(suspends, "left out: so Kueue holds jobs until their turn")
        spec["suspend"] = False
    return {key: value for key, value in head.items() if value}, spec


def _at(key: str) -> str:
    return f"metadata.labels.{key}"


def _of_pods(spec: JSON) -> str:
    """The PriorityClass of the pods of the first role that has one."""
    for role in spec.get("roles") or []:
        found = role["template"]["spec"].get("priorityClassName")
        if isinstance(found, str) and found:
            return found
    return ""
