"""LimitRange at work: amounts that containers leave out, and bounds of what they may ask for.

After Kubernetes' LimitRanger, in its words. Pods are looked at when they are created, claims also
when they grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import Quantity, parse
from athanor.local.apiserver import errors
from athanor.local.apiserver.admission.quota import pod_amounts
from athanor.local.apiserver.core import Call, Core
from athanor.local.apiserver.kinds.pods import quality

RANGES = "limitranges"
_NOTE = "kubernetes.io/limit-ranger"
_GROUPS = (("requests", "defaultRequest", "request"), ("limits", "default", "limit"))

Amounts = Mapping[str, Quantity]


def _items(core: Core, namespace: str, kind: str) -> Iterator[JSON]:
    """The limits of one type in a namespace."""
    for row in core.store.rows(RANGES, namespace):
        found = core.known(*row.key)
        for item in ((found or {}).get("spec") or {}).get("limits") or ():
            if item.get("type") == kind:
                yield item


def fill(core: Core, call: Call, pod: JSON) -> None:
    """Give the containers of a new pod the amounts that they leave out (in place)."""
    namespace = call.target.namespace
    if not core.store.count(RANGES, namespace):
        return
    said = list[str]()
    for item in _items(core, namespace, "Container"):
        for field, what in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(field) or ():
                said += _filled(container, item, what)
    if said:
        pod["status"]["qosClass"] = quality(pod["spec"])
        notes = pod["metadata"].setdefault("annotations", {})
        notes[_NOTE] = f"LimitRanger plugin set: {'; '.join(said)}"


def _filled(container: JSON, item: JSON, what: str) -> Iterable[str]:
    resources = container.setdefault("resources", {})
    said = []
    for group, source, word in _GROUPS:
        missing = {
            name: amount
            for name, amount in (item.get(source) or {}).items()
            if name not in (resources.get(group) or {})
        }
        if missing:
            resources[group] = {**(resources.get(group) or {}), **missing}
            names = ", ".join(sorted(missing))
            said.append(f"{names} {word} for {what} {container.get('name', '')}")
    return said


def judge(core: Core, call: Call, obj: JSON) -> None:
    """Nothing when an object keeps within its namespace's limits. Raises Forbidden."""
    namespace = call.target.namespace
    if not core.store.count(RANGES, namespace):
        return
    problems = list[str]()
    if call.served.key == "pods":
        for item in _items(core, namespace, "Container"):
            for field in ("containers", "initContainers"):
                for container in obj["spec"].get(field) or ():
                    resources = container.get("resources") or {}
                    asked = _parsed(resources.get("requests")), _parsed(resources.get("limits"))
                    problems += _broken(item, "Container", *asked)
        for item in _items(core, namespace, "Pod"):
            asked = pod_amounts(obj, "requests"), pod_amounts(obj, "limits")
            problems += _broken(item, "Pod", *asked)
    else:
        for item in _items(core, namespace, "PersistentVolumeClaim"):
            wanted = _parsed((obj["spec"].get("resources") or {}).get("requests"))
            problems += _broken_request(item, wanted)
    if problems:
        why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise errors.forbidden(call.resource, obj["metadata"].get("name", ""), why)


def _parsed(amounts: JSON | None) -> Amounts:
    return {name: parse(amount) for name, amount in (amounts or {}).items()}


def _broken(item: JSON, kind: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in sorted(_parsed(item.get("min")).items()):
        head = f"minimum {name} usage per {kind} is {least}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif requests[name].nano < least.nano:
            yield f"{head}, but request is {requests[name]}"
        elif name in limits and limits[name].nano < least.nano:
            yield f"{head}, but limit is {limits[name]}"
    for name, most in sorted(_parsed(item.get("max")).items()):
        head = f"maximum {name} usage per {kind} is {most}"
        if name not in limits:
            yield f"{head}.  No limit is specified"
        elif limits[name].nano > most.nano:
            yield f"{head}, but limit is {limits[name]}"
        elif name in requests and requests[name].nano > most.nano:
            yield f"{head}, but request is {requests[name]}"
    for name, most in sorted(_parsed(item.get("maxLimitRequestRatio")).items()):
        head = f"{name} max limit to request ratio per {kind} is {most}, but"
        request, limit = requests.get(name), limits.get(name)
        if request is None or not request.nano:
            yield f"{head} no request is specified or request is 0"
        elif limit is None or not limit.nano:
            yield f"{head} no limit is specified or limit is 0"
        elif limit.nano * 10**9 > most.nano * request.nano:
            yield f"{head} provided ratio is {limit.nano / request.nano:f}"


def _broken_request(item: JSON, requests: Amounts) -> Iterator[str]:
    for word, source, sign in (("minimum", "min", 1), ("maximum", "max", -1)):
        for name, bound in sorted(_parsed(item.get(source)).items()):
            head = f"{word} {name} usage per PersistentVolumeClaim is {bound}"
            if name not in requests:
                yield f"{head}.  No request is specified"
            elif (bound.nano - requests[name].nano) * sign > 0:
                yield f"{head}, but request is {requests[name]}"
