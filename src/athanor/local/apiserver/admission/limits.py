"""LimitRange at work: amounts that containers leave out, and bounds of what they may ask for.

After Kubernetes' LimitRanger, in its words. Pods are looked at when they are created, claims also
when they grow.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core
from athanor.wire import rations

RANGES = "limitranges"
_NOTE = "kubernetes.io/limit-ranger"


def _ranges(core: Core, namespace: str) -> list[JSON]:
    """The LimitRanges of a namespace."""
    found = (core.known(*row.key) for row in core.store.rows(RANGES, namespace))
    return [one for one in found if one is not None]


def fill(core: Core, call: Call, pod: JSON) -> None:
    """Give the containers of a new pod the amounts that they leave out (in place)."""
    namespace = call.target.namespace
    if not core.store.count(RANGES, namespace):
        return
    if said := rations.fill(pod, _ranges(core, namespace)):
        pod["status"]["qosClass"] = rations.quality(pod["spec"])
        notes = pod["metadata"].setdefault("annotations", {})
        notes[_NOTE] = f"LimitRanger plugin set: {'; '.join(said)}"


def judge(core: Core, call: Call, obj: JSON) -> None:
    """Nothing when an object keeps within its namespace's limits. Raises Forbidden."""
    namespace = call.target.namespace
    if not core.store.count(RANGES, namespace):
        return
    ranges = _ranges(core, namespace)
    if call.served.key == "pods":
        problems = rations.broken(obj, ranges)
    else:
        wanted = rations.parsed((obj["spec"].get("resources") or {}).get("requests"))
        claims = rations.of_type(ranges, "PersistentVolumeClaim")
        problems = [said for item in claims for said in _broken_request(item, wanted)]
    if problems:
        why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise errors.forbidden(call.resource, obj["metadata"].get("name", ""), why)


def _broken_request(item: JSON, requests: rations.Amounts) -> Iterator[str]:
    for word, source, sign in (("minimum", "min", 1), ("maximum", "max", -1)):
        for name, bound in sorted(rations.parsed(item.get(source)).items()):
            head = f"{word} {name} usage per PersistentVolumeClaim is {bound}"
            if name not in requests:
                yield f"{head}.  No request is specified"
            elif (bound.nano - requests[name].nano) * sign > 0:
                yield f"{head}, but request is {requests[name]}"
