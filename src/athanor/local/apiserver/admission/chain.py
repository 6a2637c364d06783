"""The admission steps in order. Those that change an object come before those that judge it."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.admission import (
    accounts,
    devices,
    limits,
    namespaces,
    pods,
    quota,
    services,
    submitter,
    volumes,
)
from athanor.local.apiserver.core import Call, Core
from athanor.local.store.model import Write

_LIMITED = ("pods", "persistentvolumeclaims")


def mutate(core: Core, call: Call, obj: JSON) -> None:
    """Fill in what the cluster decides for a new object. Raises ApiError."""
    namespaces.admit_create(core, call, obj)
    submitter.stamp(call, obj)
    devices.keep(call, obj)
    if call.served.key == "pods":
        limits.fill(core, call, obj)
        pods.admit_create(core, call, obj)
    elif call.served.key == "services":
        services.admit_create(core, obj, dry_run=call.dry_run)
    elif call.served.key == "persistentvolumeclaims":
        volumes.admit_create(core, obj)


def admit(core: Core, call: Call, obj: JSON) -> list[Write]:
    """Judge a new, named object; answers writes that must happen together with it."""
    for judge in core.judges:
        judge(call, obj, None)
    if call.served.key in _LIMITED:
        limits.judge(core, call, obj)
    if call.served.key == "namespaces":
        return [] if call.dry_run else accounts.furniture(core, obj["metadata"]["name"])
    return quota.charge(core, call, obj)


def admit_update(core: Core, call: Call, new: JSON, old: JSON) -> list[Write]:
    """Judge an update; answers writes that must happen together with it."""
    submitter.stamp(call, new, old)
    devices.keep(call, new, old)
    for judge in core.judges:
        judge(call, new, old)
    if call.served.key == "services" and not call.target.subresource:
        services.admit_update(core, new, old, dry_run=call.dry_run)
    if call.served.key == "persistentvolumeclaims" and not call.target.subresource:
        limits.judge(core, call, new)
        return quota.charge(core, call, new, old)
    return []


def admit_delete(core: Core, call: Call, old: JSON) -> None:
    """Judge a deletion."""
    namespaces.admit_delete(call)
