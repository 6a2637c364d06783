"""GPU time of trials: what a template asks for, times how long it ran."""

from __future__ import annotations

from collections.abc import Iterator

from athanor.api.meta import JSON
from athanor.api.templates import ObjectTemplate
from athanor.kit import quantity
from athanor.kit.times import parse_rfc3339
from athanor.runtime.children import Child


def gpus(template: ObjectTemplate) -> float:
    """How many devices one trial holds; shares of one count as such."""
    return sum(float(count) * _each(one) for count, one in _sets(template))


def gpu_seconds(each: float, child: Child, now: float) -> float:
    """What a trial has cost so far."""
    if not each or not child.started:
        return 0.0
    end = parse_rfc3339(child.ended) if child.ended else now
    return each * max(end - parse_rfc3339(child.started), 0.0)


def _sets(template: ObjectTemplate) -> Iterator[tuple[int, JSON]]:
    spec = template.spec
    if template.kind == "TrainingJob":
        for role in spec.get("roles") or []:
            yield role.get("replicas", 1), role
    elif template.kind == "Gang":
        for pod_set in spec.get("podSets") or []:
            yield pod_set.get("count", 1), pod_set


def _each(one: JSON) -> float:
    share = (one.get("gpu") or {}).get("milli")
    if share is not None:
        return float(share) / 1000
    found = 0.0
    for container in ((one.get("template") or {}).get("spec") or {}).get("containers") or []:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        found += sum(_amount(amount) for name, amount in asked.items() if "gpu" in name)
    return found


def _amount(text: object) -> float:
    try:
        return quantity.parse(str(text)).nano / quantity.NANO
    except quantity.QuantityError:
        return 0.0  # the trial's own object will be refused for it
