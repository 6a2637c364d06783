"""Whether a pod fits on the node beside those already there (a kubelet's admission)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from athanor.api.meta import JSON
from athanor.kit import quantity
from athanor.local.agent.plan.observed import Hold

_COUNTED = ("cpu", "memory")


def requests(spec: JSON) -> dict[str, int]:
    """What a pod asks for in thousandths: sidecars and mains together, or the largest init."""
    total: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in spec.get("initContainers") or []:
        wish = _wish(container)
        if container.get("restartPolicy") == "Always":
            _add(total, wish)
            _add(sidecars, wish)
            wish = {}
        for name, amount in wish.items():
            most[name] = max(most.get(name, 0), amount + sidecars.get(name, 0))
    for container in spec["containers"]:
        _add(total, _wish(container))
    _add(total, {k: quantity.milli(v) for k, v in (spec.get("overhead") or {}).items()})
    return {name: max(total.get(name, 0), most.get(name, 0)) for name in {*total, *most}}


def refuse(spec: JSON, others: Iterable[JSON], allocatable: Mapping[str, str]) -> Hold | None:
    """Why a pod of this spec cannot be admitted beside `others` (specs), or None."""
    others = list(others)
    if len(others) + 1 > quantity.whole(allocatable.get("pods", "110")):
        return _out("pods", 1, len(others), quantity.whole(allocatable.get("pods", "110")))
    used: dict[str, int] = {}
    for other in others:
        _add(used, requests(other))
    for name, amount in sorted(requests(spec).items()):
        if name not in _COUNTED and name not in allocatable:
            continue
        room = quantity.milli(allocatable.get(name, "0"))
        if amount and used.get(name, 0) + amount > room:
            return _out(name, amount, used.get(name, 0), room)
    return None


def _wish(container: JSON) -> dict[str, int]:
    resources = container.get("resources") or {}
    wish = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity.milli(text) for name, text in wish.items()}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _out(name: str, asked: int, used: int, room: int) -> Hold:
    return Hold(
        f"OutOf{name}",
        f"Pod was rejected: Node didn't have enough resource: {name}, requested: {asked}, "
        f"used: {used}, capacity: {room}",
    )
