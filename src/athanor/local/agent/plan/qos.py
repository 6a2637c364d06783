"""Quality of service of a pod, from its requests and limits (Guaranteed, Burstable, BestEffort)."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.kit import quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: JSON) -> str:
    """The class a kubelet would give a pod of this spec."""
    containers = [*spec["containers"], *(spec.get("initContainers") or [])]
    wishes = [container.get("resources") or {} for container in containers]
    named = any(
        name in _COUNTED
        for wish in wishes
        for part in ("requests", "limits")
        for name in wish.get(part) or {}
    )
    if not named:
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(wish) for wish in wishes) else "Burstable"


def _guaranteed(wish: JSON) -> bool:
    limits, requests = wish.get("limits") or {}, wish.get("requests") or {}
    return all(
        name in limits
        and quantity.parse(requests.get(name, limits[name])) == quantity.parse(limits[name])
        for name in _COUNTED
    )
