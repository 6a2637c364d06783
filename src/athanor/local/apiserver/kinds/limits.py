"""LimitRange: defaults that follow from others, and what contradicts itself (core/v1)."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, Quantity, parse
from athanor.local.apiserver.errors import duplicate, not_allowed, required, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pods import canonical_amounts
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_TYPES = ("Container", "Pod", "PersistentVolumeClaim")
_AMOUNTS = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip
"""(what must not be greater, than what, the field at fault, the value shown, the words)."""


def _default(obj: JSON) -> None:
    obj.setdefault("spec", {}).setdefault("limits", None)
    for item in (obj.get("spec") or {}).get("limits") or ():
        for name in _AMOUNTS:
            if item.get(name):
                canonical_amounts(item[name])
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {
            **(item.get("min") or {}), **default, **(item.get("defaultRequest") or {}),
        }  # fmt: skip
        for name, amounts in (("default", default), ("defaultRequest", request)):
            if amounts:
                item[name] = dict(sorted(amounts.items()))


def _check(obj: JSON) -> list[Cause]:
    causes, seen = list[Cause](), set[str]()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        if "/" not in kind and kind and not key_problems(kind) and kind not in _TYPES:
            detail = "must be a standard limit type or fully qualified"
            causes.append(wrong(f"{path}.type", kind, detail))
        causes += [wrong(f"{path}.type", kind, problem) for problem in key_problems(kind)]
        if kind in seen:
            causes.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        if kind == "Pod":
            detail = "may not be specified when `type` is 'Pod'"
            for name in ("default", "defaultRequest"):
                if item.get(name):
                    causes.append(not_allowed(f"{path}.{name}", detail))
        storage = "storage" in (item.get("min") or {}) or "storage" in (item.get("max") or {})
        if kind == "PersistentVolumeClaim" and not storage:
            detail = "either minimum or maximum storage value is required, but neither was provided"
            causes.append(required(f"{path}.limits", detail))
        causes += _amounts(item, path)
    return causes


def _amounts(item: JSON, path: str) -> list[Cause]:
    causes, known = list[Cause](), dict[str, dict[str, Quantity]]()
    for name in _AMOUNTS:
        if name in ("default", "defaultRequest") and item.get("type") == "Pod":
            continue  # refused as such
        for resource, amount in (item.get(name) or {}).items():
            known.setdefault(resource, {})[name] = parse(amount)
    for resource, found in known.items():
        for low, high, at, value, words in _ORDER:
            if low in found and high in found and found[low].nano > found[high].nano:
                said = words.format(found[low], found[high])
                causes.append(wrong(f"{path}.{at}[{resource}]", str(found[value]), said))
        ratio = found.get("maxLimitRequestRatio")
        if ratio is not None and ratio.nano < NANO:
            at = f"{path}.maxLimitRequestRatio[{resource}]"
            causes.append(wrong(at, str(ratio), f"ratio {ratio} is less than 1"))
        if ratio is not None and "max" in found and "min" in found and found["min"].nano:
            most = found["max"].nano / found["min"].nano
            if ratio.nano / NANO > most:
                detail = f"ratio {ratio} is greater than max/min = {most:f}"
                causes.append(wrong(f"{path}.maxLimitRequestRatio[{resource}]", str(ratio), detail))
    return causes


STRATEGIES: Mapping[str, Strategy] = {
    "limitranges": Strategy(default=_default, check=_check, create_on_update=True)
}
