"""ResourceQuota: what a namespace may hold, counted together with the write that needs it.

The usage stands in the quota's own status; the write of an object and the new usage are one atomic
write, so two creations can never share the last place. `recount` corrects it after deletions.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.kit.quantity import Quantity, parse
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core, decode, encoder
from athanor.local.store.model import Key, Write
from athanor.wire.rations import ONE, covers, of_pod, scoped, unsaid

QUOTAS = "resourcequotas"
_FINISHED = ("Succeeded", "Failed")


def usage(resource: str, obj: JSON) -> dict[str, int]:
    """What one object counts for, in nano-units, by the names quotas use."""
    plural, dot, group = resource.partition(".")
    used = {f"count/{plural}{dot}{group}": ONE}
    if not group:
        used[plural] = ONE
    if resource == "pods":
        if (obj.get("status") or {}).get("phase") in _FINISHED:
            return {}
        used |= of_pod(obj)
    elif resource == "persistentvolumeclaims":
        spec = obj.get("spec") or {}
        asked = (spec.get("resources") or {}).get("requests") or {}
        if "storage" in asked:
            used["requests.storage"] = parse(asked["storage"]).nano
            if name := spec.get("storageClassName"):
                prefix = f"{name}.storageclass.storage.k8s.io"
                used[f"{prefix}/requests.storage"] = used["requests.storage"]
                used[f"{prefix}/persistentvolumeclaims"] = ONE
    elif resource == "services":
        kind = (obj.get("spec") or {}).get("type")
        if kind in ("NodePort", "LoadBalancer"):
            used["services.nodeports"] = ONE
        if kind == "LoadBalancer":
            used["services.loadbalancers"] = ONE
    return used


def _covers(quota: JSON, resource: str, obj: JSON) -> bool:
    """Whether a quota's scopes include the object."""
    return not scoped(quota) or (resource == "pods" and covers(quota, obj))


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
    asked, have, limits = [], [], []
    moved = False
    for name, most in hard.items():
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
    creates = call.served.key == "pods" and call.target.verb == "create"
    if creates and (said := unsaid(hard, obj)):
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
