"""Whether a pod fits on the node beside those already there (a kubelet's admission)."""

from __future__ import annotations

from collections.abc import Mapping

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


class Ledger:
    """What the admitted pods ask for together, kept as they come and go."""

    def __init__(self) -> None:
        self._charges: dict[str, dict[str, int]] = {}
        self._used: dict[str, int] = {}

    def charge(self, uid: str, spec: JSON) -> None:
        """A pod is on the node."""
        if uid not in self._charges:
            self._charges[uid] = requests(spec)
            _add(self._used, self._charges[uid])

    def release(self, uid: str) -> None:
        """A pod holds nothing any more."""
        gone = self._charges.pop(uid, {})
        _add(self._used, {name: -amount for name, amount in gone.items()})

    def refuse(self, spec: JSON, allocatable: Mapping[str, str]) -> Hold | None:
        """Why a pod of this spec cannot be admitted beside the others, or None."""
        most = quantity.whole(allocatable.get("pods", "110"))
        if len(self._charges) + 1 > most:
            return _out("pods", 1, len(self._charges), most)
        for name, amount in sorted(requests(spec).items()):
            if name not in _COUNTED and name not in allocatable:
                continue
            room, used = quantity.milli(allocatable.get(name, "0")), self._used.get(name, 0)
            if amount and used + amount > room:
                return _out(name, amount, used, room)
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
