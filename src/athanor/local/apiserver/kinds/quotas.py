"""ResourceQuota: names, amounts, and the scopes that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver.errors import required, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pod_resources import (
    STANDARD,
    WHOLE,
    amount_causes,
    resource_name,
)
from athanor.local.apiserver.kinds.pods import canonical_amounts
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_OF_PODS = frozenset(
    ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
)
_OF_CLAIMS = frozenset(("persistentvolumeclaims", "requests.storage"))
_SCOPES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass",
         "CrossNamespacePodAffinity"),
        _OF_PODS,
    ),
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": _OF_CLAIMS,
}  # fmt: skip
"""What may be counted within a scope."""
_APART = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_VALUED = ("PriorityClass", "VolumeAttributesClass")
_WORDS = "must be a standard resource for quota"


def _default(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("hard"):
        canonical_amounts(spec["hard"])


def _new(obj: JSON) -> None:
    obj["status"] = {}


def _check(obj: JSON) -> list[Cause]:
    spec, causes = obj.get("spec") or {}, list[Cause]()
    hard = spec.get("hard") or {}
    for name, amount in hard.items():
        path = f"spec.hard[{name}]"
        causes += resource_name(name, path, plain="quota", words=_WORDS)
        whole = name in WHOLE or ("/" in name and not key_problems(name))
        causes += amount_causes(amount, path, whole=whole)
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _SCOPES:
            causes.append(wrong("spec.scopes", scopes, "unsupported scope"))
        causes += _unfit(scope, hard, "spec.scopes", scopes)
    causes += _apart(scopes, scopes)
    if (selector := spec.get("scopeSelector")) is not None:
        causes += _selector(selector, hard, scopes)
    return causes


def _unfit(scope: str, hard: JSON, path: str, shown: object) -> Iterator[Cause]:
    fit = _SCOPES.get(scope)
    for name in sorted(hard) if fit is not None else ():
        if name in STANDARD and fit is not None and name not in fit:
            yield wrong(path, shown, "unsupported scope applied to resource")


def _apart(scopes: list[str], shown: list[str]) -> list[Cause]:
    return [
        wrong("spec.scopes", shown, "conflicting scopes")
        for pair in _APART
        if set(pair) <= set(scopes)
    ]


def _selector(selector: JSON, hard: JSON, scopes: list[str]) -> list[Cause]:
    path, causes, seen = "spec.scopeSelector.matchExpressions", list[Cause](), list[str]()
    for asked in selector.get("matchExpressions") or ():
        scope, operator = asked.get("scopeName") or "", asked.get("operator") or ""
        values = asked.get("values") or []
        if scope not in _SCOPES:
            causes.append(wrong(f"{path}.scopeName", scope, "unsupported scope"))
        causes += _unfit(scope, hard, path, selector)
        if scope in _SCOPES and scope not in _VALUED and operator != "Exists":
            causes.append(wrong(f"{path}.operator", operator, _EXIST))
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope "
                causes.append(required(f"{path}.values", f"{detail}selector"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope "
                causes.append(wrong(f"{path}.values", values, f"{detail}selector"))
        else:
            causes.append(wrong(f"{path}.operator", operator, "not a valid selector operator"))
        seen.append(scope)
    return causes + _apart(seen, scopes)


def _update(new: JSON, old: JSON) -> list[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if set(before.get("scopes") or []) != set(after.get("scopes") or []):
        return [wrong("spec.scopes", after.get("scopes"), "field is immutable")]
    return []


STRATEGIES: Mapping[str, Strategy] = {
    "resourcequotas": Strategy(
        default=_default, create=_new, check=_check, check_update=_update, answers_object=True
    ),
}
