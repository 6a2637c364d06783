"""ResourceQuota: what a namespace may hold, counted together with the write that needs it.

The usage stands in the quota's own status; the write of an object and the new usage are one atomic
write, so two creations can never share the last place. `recount` corrects it after deletions.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api.meta import JSON
from athanor.kit.quantity import Quantity, parse
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core, decode, encoder
from athanor.local.store.model import Key, Write

QUOTAS = "resourcequotas"
_FINISHED = ("Succeeded", "Failed")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")


def usage(resource: str, obj: JSON) -> dict[str, int]:
    """What one object counts for, in nano-units, by the names quotas use."""
    plural, dot, group = resource.partition(".")
    used = {f"count/{plural}{dot}{group}": _ONE}
    if not group:
        used[plural] = _ONE
    if resource == "pods":
        if (obj.get("status") or {}).get("phase") in _FINISHED:
            return {}
        _pod(obj, used)
    elif resource == "persistentvolumeclaims":
        spec = obj.get("spec") or {}
        asked = (spec.get("resources") or {}).get("requests") or {}
        if "storage" in asked:
            used["requests.storage"] = parse(asked["storage"]).nano
            if name := spec.get("storageClassName"):
                prefix = f"{name}.storageclass.storage.k8s.io"
                used[f"{prefix}/requests.storage"] = used["requests.storage"]
                used[f"{prefix}/persistentvolumeclaims"] = _ONE
    elif resource == "services":
        kind = (obj.get("spec") or {}).get("type")
        if kind in ("NodePort", "LoadBalancer"):
            used["services.nodeports"] = _ONE
        if kind == "LoadBalancer":
            used["services.loadbalancers"] = _ONE
    return used


_ONE = Quantity(10**9).nano


def pod_amounts(pod: JSON, group: str) -> dict[str, Quantity]:
    """What a whole pod asks for; `group` is requests or limits."""
    binary = ("memory", "ephemeral-storage")
    return {
        name: Quantity(amount, "binary" if name in binary else "decimal")
        for name, amount in _total(pod, group).items()
    }


def _total(pod: JSON, group: str) -> dict[str, int]:
    spec = pod.get("spec") or {}
    total = _sum(spec.get("containers") or (), group)
    for name, amount in _largest(spec.get("initContainers") or (), group).items():
        total[name] = max(total.get(name, 0), amount)
    return total


def _pod(pod: JSON, used: dict[str, int]) -> None:
    for group in ("requests", "limits"):
        for name, amount in _total(pod, group).items():
            used[f"{group}.{name}"] = amount
            if group == "requests" and name in _COMPUTE:
                used[name] = amount


def _amounts(container: JSON, group: str) -> Iterable[tuple[str, int]]:
    for name, amount in ((container.get("resources") or {}).get(group) or {}).items():
        yield name, parse(amount).nano


def _sum(containers: Iterable[JSON], group: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for container in containers:
        for name, amount in _amounts(container, group):
            total[name] = total.get(name, 0) + amount
    return total


def _largest(containers: Iterable[JSON], group: str) -> dict[str, int]:
    most: dict[str, int] = {}
    for container in containers:
        for name, amount in _amounts(container, group):
            most[name] = max(most.get(name, 0), amount)
    return most


def _covers(quota: JSON, resource: str, obj: JSON) -> bool:
    """Whether a quota's scopes include the object."""
    spec = quota.get("spec") or {}
    wanted = list(spec.get("scopes") or ())
    selector = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not wanted and not selector:
        return True
    if resource != "pods":
        return False
    pod = obj.get("spec") or {}
    facts = {
        "Terminating": pod.get("activeDeadlineSeconds") is not None,
        "NotTerminating": pod.get("activeDeadlineSeconds") is None,
        "BestEffort": (obj.get("status") or {}).get("qosClass") == "BestEffort",
        "NotBestEffort": (obj.get("status") or {}).get("qosClass") != "BestEffort",
    }
    name = pod.get("priorityClassName") or ""
    return all(facts.get(scope, False) for scope in wanted) and all(
        _expression(e, facts, name) for e in selector
    )


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


def charge(core: Core, call: Call, new: JSON, old: JSON | None = None) -> list[Write]:
    """The quotas' new usage, to be written with the object. Raises Forbidden when it is too much.

    A dry run is judged, and writes nothing.
    """
    namespace, resource = call.target.namespace, call.served.key
    if not namespace or resource == QUOTAS or not core.store.count(QUOTAS, namespace):
        return []
    delta = usage(resource, new)
    before = usage(resource, old) if old is not None else {}
    writes = []
    for row in core.store.rows(QUOTAS, namespace):
        latest = core.store.latest(row.key)
        if latest is None:
            continue
        quota = decode(latest.body)
        if not _covers(quota, resource, new):
            continue
        changed = _charged(call, quota, new, delta, before)
        if changed is not None:
            writes.append(Write(latest.key, encoder(changed), latest.revision))
    return [] if call.dry_run else writes


def _charged(
    call: Call, quota: JSON, obj: JSON, delta: dict[str, int], before: dict[str, int]
) -> JSON | None:
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = dict((quota.get("status") or {}).get("used") or {})
    asked, have, limits, missing = [], [], [], []
    moved = False
    for name, most in hard.items():
        if call.served.key == "pods" and name in _must_say(hard) and name not in delta:
            missing.append(name)
            continue
        more = delta.get(name, 0) - before.get(name, 0)
        if not more:
            continue
        form = parse(most).form
        now = parse(used.get(name, "0")).nano
        if more > 0 and now + more > parse(most).nano:
            asked.append(f"{name}={Quantity(more, form)}")
            have.append(f"{name}={Quantity(now, form)}")
            limits.append(f"{name}={most}")
            continue
        used[name] = str(Quantity(now + more, form))
        moved = True
    title, name = quota["metadata"]["name"], obj["metadata"].get("name", "")
    if missing and call.target.verb == "create":
        said = "; ".join(f"{m} for: {_container_names(obj)}" for m in sorted(missing))
        raise errors.forbidden(call.resource, name, f"failed quota: {title}: must specify {said}")
    if asked:
        raise errors.forbidden(
            call.resource, name,
            f"exceeded quota: {title}, requested: {','.join(asked)}, used: {','.join(have)}, "
            f"limited: {','.join(limits)}",
        )  # fmt: skip
    if not moved:
        return None
    status = {**(quota.get("status") or {}), "hard": hard, "used": used}
    return {**quota, "metadata": dict(quota["metadata"]), "status": status}


def _must_say(hard: JSON) -> Iterable[str]:
    """Amounts that every pod must name when a quota limits them."""
    compute = {*_COMPUTE, *(f"{g}.{n}" for g in ("requests", "limits") for n in _COMPUTE)}
    return [name for name in hard if name in compute]


def _container_names(pod: JSON) -> str:
    return ",".join(c.get("name", "") for c in (pod.get("spec") or {}).get("containers") or ())


def counted(core: Core, quota: JSON) -> JSON:
    """A quota with its usage counted anew from everything in its namespace."""
    namespace = quota["metadata"]["namespace"]
    hard = (quota.get("spec") or {}).get("hard") or {}
    total = dict.fromkeys(hard, 0)
    for served in core.catalog.all():
        if not served.resource.namespaced or not served.stored or served.second:
            continue
        if not _concerns(served.key, hard):
            continue
        for row in core.store.rows(served.key, namespace):
            latest = core.latest(*row.key)
            if latest is None or not _covers(quota, served.key, latest):
                continue
            for name, amount in usage(served.key, latest).items():
                if name in total:
                    total[name] += amount
    used = {n: str(Quantity(amount, parse(hard[n]).form)) for n, amount in total.items()}
    return {**quota, "status": {"hard": hard, "used": used}}


def _concerns(resource: str, hard: JSON) -> bool:
    if resource == "pods":
        return any(not n.startswith("count/") or n == "count/pods" for n in hard)
    plural = resource.partition(".")[0]
    return any(n in (plural, f"count/{resource}") or plural in n for n in hard) or (
        resource == "persistentvolumeclaims" and any("storage" in n for n in hard)
    )


def key_of(quota: JSON) -> Key:
    """Where a quota is stored."""
    return Key(QUOTAS, quota["metadata"]["namespace"], quota["metadata"]["name"])
