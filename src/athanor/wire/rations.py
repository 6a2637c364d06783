"""What pods count for in ResourceQuotas and what LimitRanges make of them: the server's rules.

Pure, on plain JSON; the scheduler asks the same before it admits a gang.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import Quantity, parse

ONE = Quantity(10**9).nano
COMPUTE = ("cpu", "memory", "ephemeral-storage")
_SAID = ("cpu", "memory")
_GROUPS = (("requests", "defaultRequest", "request"), ("limits", "default", "limit"))
_ZEROS = frozenset(("0", 0, "0m", ""))

Amounts = Mapping[str, Quantity]


def of_pod(pod: JSON) -> dict[str, int]:
    """What a pod counts for, in nano-units, by the names quotas use."""
    used = {"count/pods": ONE, "pods": ONE}
    overhead = parsed((pod.get("spec") or {}).get("overhead"))
    for group in ("requests", "limits"):
        total = _total(pod, group)
        for name, more in overhead.items():
            if group == "requests" or name in total:
                total[name] = total.get(name, 0) + more.nano
        for name, amount in total.items():
            used[f"{group}.{name}"] = amount
            if group == "requests" and name in COMPUTE:
                used[name] = amount
    return used


def pod_amounts(pod: JSON, group: str) -> dict[str, Quantity]:
    """What a whole pod asks for; `group` is requests or limits."""
    binary = ("memory", "ephemeral-storage")
    return {
        name: Quantity(amount, "binary" if name in binary else "decimal")
        for name, amount in _total(pod, group).items()
    }


def unsaid(hard: Iterable[str], pod: JSON) -> str:
    """What a quota on such amounts wants every container to name and some do not, with their
    names; "" for nothing."""
    asked = pod.get("spec") or {}
    if asked.get("resources"):
        return ""  # whose pod asks as a whole need not
    found = []
    for name in sorted(hard):
        group, _, resource = name.rpartition(".")
        if resource not in _SAID or group not in ("", "requests", "limits"):
            continue
        silent = {
            str(one.get("name") or "")
            for field in ("containers", "initContainers") for one in asked.get(field) or ()
            if resource not in dict(_amounts(one, group or "requests"))
        }  # fmt: skip
        if silent:
            found.append(f"{name} for: {','.join(sorted(silent))}")
    return "; ".join(found)


def covers(quota: JSON, pod: JSON) -> bool:
    """Whether a quota's scopes include a pod."""
    spec = quota.get("spec") or {}
    asked = pod.get("spec") or {}
    best_effort = quality(asked) == "BestEffort"
    facts = {
        "Terminating": asked.get("activeDeadlineSeconds") is not None,
        "NotTerminating": asked.get("activeDeadlineSeconds") is None,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "CrossNamespacePodAffinity": _looks_abroad(asked),
    }
    name = asked.get("priorityClassName") or ""
    return all(facts.get(scope, False) for scope in spec.get("scopes") or ()) and all(
        _expression(e, facts, name)
        for e in (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    )


def _looks_abroad(spec: JSON) -> bool:
    """Whether a pod's (anti-)affinity names other namespaces."""
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        said = affinity.get(name) or {}
        liked = said.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms = [
            *(said.get("requiredDuringSchedulingIgnoredDuringExecution") or ()),
            *(one.get("podAffinityTerm") or {} for one in liked),
        ]
        if any(t.get("namespaces") or t.get("namespaceSelector") is not None for t in terms):
            return True
    return False


def scoped(quota: JSON) -> bool:
    """Whether a quota looks at some pods only."""
    spec = quota.get("spec") or {}
    return bool(spec.get("scopes") or (spec.get("scopeSelector") or {}).get("matchExpressions"))


def quality(spec: JSON) -> str:
    """A pod's class of service: Guaranteed, Burstable or BestEffort."""
    asked = capped = False
    whole = True
    for name in ("initContainers", "containers"):
        for container in spec.get(name) or ():
            resources = container.get("resources")
            if not resources:
                whole = False
                continue
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            for kind in ("cpu", "memory"):
                request, limit = requests.get(kind, "0"), limits.get(kind, "0")
                asked = asked or request not in _ZEROS
                capped = capped or limit not in _ZEROS
                if limit in _ZEROS or request != limit:
                    whole = False
    if not asked and not capped:
        return "BestEffort"
    return "Guaranteed" if whole else "Burstable"


def fill(pod: JSON, ranges: Iterable[JSON]) -> list[str]:
    """Give a pod's containers the amounts that they leave out (in place); what was given."""
    return [
        said
        for item in of_type(ranges, "Container")
        for field, what in (("containers", "container"), ("initContainers", "init container"))
        for container in pod["spec"].get(field) or ()
        for said in _filled(container, item, what)
    ]


def broken(pod: JSON, ranges: Iterable[JSON]) -> list[str]:
    """Where a pod does not keep within LimitRanges."""
    problems, ranges = list[str](), list(ranges)
    for item in of_type(ranges, "Container"):
        for field in ("containers", "initContainers"):
            for container in pod["spec"].get(field) or ():
                resources = container.get("resources") or {}
                asked = parsed(resources.get("requests")), parsed(resources.get("limits"))
                problems += _broken(item, "Container", *asked)
    for item in of_type(ranges, "Pod"):
        asked = pod_amounts(pod, "requests"), pod_amounts(pod, "limits")
        problems += _broken(item, "Pod", *asked)
    return problems


def of_type(ranges: Iterable[JSON], kind: str) -> Iterator[JSON]:
    """The limits of one type."""
    for found in ranges:
        for item in (found.get("spec") or {}).get("limits") or ():
            if item.get("type") == kind:
                yield item


def parsed(amounts: JSON | None) -> Amounts:
    """Quantities as values."""
    return {name: parse(amount) for name, amount in (amounts or {}).items()}


def _total(pod: JSON, group: str) -> dict[str, int]:
    """Containers and sidecars add up; each other init container runs beside the sidecars before
    it, and the larger of both counts. What the pod as a whole asks for is before."""
    spec = pod.get("spec") or {}
    total: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        here = _plus(total, container, group)
        if container.get("restartPolicy") == "Always":
            total = here
        most = {name: max(here.get(name, 0), most.get(name, 0)) for name in {**most, **here}}
    for container in spec.get("containers") or ():
        total = _plus(total, container, group)
    for name, amount in most.items():
        total[name] = max(total.get(name, 0), amount)
    return {**total, **dict(_amounts(spec, group))}


def _amounts(container: JSON, group: str) -> Iterable[tuple[str, int]]:
    for name, amount in ((container.get("resources") or {}).get(group) or {}).items():
        yield name, parse(amount).nano


def _plus(total: Mapping[str, int], container: JSON, group: str) -> dict[str, int]:
    more = dict(_amounts(container, group))
    return {name: total.get(name, 0) + more.get(name, 0) for name in {**total, **more}}


def _expression(expression: JSON, facts: dict[str, bool], priority: str) -> bool:
    scope, operator = expression.get("scopeName"), expression.get("operator")
    values = expression.get("values") or ()
    if scope != "PriorityClass":
        return facts.get(str(scope), False)
    match operator:
        case "In":
            return priority in values
        case "NotIn":
            return priority not in values
        case "Exists":
            return bool(priority)
    return not priority


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


def _broken(item: JSON, kind: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in sorted(parsed(item.get("min")).items()):
        head = f"minimum {name} usage per {kind} is {least}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif requests[name].nano < least.nano:
            yield f"{head}, but request is {requests[name]}"
        elif name in limits and limits[name].nano < least.nano:
            yield f"{head}, but limit is {limits[name]}"
    for name, most in sorted(parsed(item.get("max")).items()):
        head = f"maximum {name} usage per {kind} is {most}"
        if name not in limits:
            yield f"{head}.  No limit is specified"
        elif limits[name].nano > most.nano:
            yield f"{head}, but limit is {limits[name]}"
        elif name in requests and requests[name].nano > most.nano:
            yield f"{head}, but request is {requests[name]}"
    for name, most in sorted(parsed(item.get("maxLimitRequestRatio")).items()):
        head = f"{name} max limit to request ratio per {kind} is {most}, but"
        request, limit = requests.get(name), limits.get(name)
        if request is None or not request.nano:
            yield f"{head} no request is specified or request is 0"
        elif limit is None or not limit.nano:
            yield f"{head} no limit is specified or limit is 0"
        elif limit.nano * 10**9 > most.nano * request.nano:
            yield f"{head} provided ratio is {limit.nano / request.nano:f}"
