"""What may be wrong with the amounts that containers ask for (core/v1 ResourceRequirements)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from athanor.api.meta import JSON
from athanor.kit.quantity import NANO, parse
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import (
    absent,
    duplicate,
    not_allowed,
    required,
    wrong,
)
from athanor.wire.selector import key_problems
from athanor.wire.status import Cause

_NATIVE = frozenset(("cpu", "memory", "ephemeral-storage"))
_HUGE = "hugepages-"
WHOLE = frozenset(
    ("pods", "services", "configmaps", "secrets", "resourcequotas", "replicationcontrollers",
     "persistentvolumeclaims", "services.nodeports", "services.loadbalancers")
)  # fmt: skip
"""What is counted in whole numbers."""
STANDARD = WHOLE | frozenset(
    f"{group}{name}" for group in ("", "requests.", "limits.") for name in _NATIVE
) | frozenset(("storage", "requests.storage"))  # fmt: skip
"""Names without a domain that mean something somewhere."""


def resource_name(name: str, path: str, *, plain: str, words: str) -> list[Cause]:
    """What is wrong with a resource's name at `path`.

    `plain`: what a name without a domain must be (in `words`): "container" or "quota".
    """
    causes = [wrong(path, name, problem) for problem in key_problems(name)]
    if "/" in name:
        return causes
    if not causes and name not in STANDARD and not name.startswith((_HUGE, f"requests.{_HUGE}")):
        detail = "must be a standard resource type or fully qualified"
        causes.append(wrong(path, name, detail))
    huge = name.startswith(_HUGE) or (plain == "quota" and name.startswith(f"requests.{_HUGE}"))
    known = _NATIVE if plain == "container" else STANDARD - {"storage"}
    if not huge and name not in known:
        causes.append(wrong(path, name, words))
    return causes


def check_resources(resources: JSON, path: str, claims: Sequence[str], causes: list[Cause]) -> None:
    """What is wrong with requests, limits and claims at `path`; `claims`: those of the pod."""
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if not _is_right(name, amount):
                _amount(name, amount, f"{path}.{group}[{name}]", causes)
    if resources.get("claims"):
        _claims(resources["claims"], claims, f"{path}.claims", causes)
    if not limits and _NATIVE.issuperset(requests):
        return
    huge = False
    for name, amount in requests.items():  # limits are requests, too, by default
        huge = huge or name.startswith(_HUGE)
        if not _is_within(name, amount, limits.get(name)):
            _within(name, amount, limits.get(name), path, causes)
    if huge and {*limits, *requests}.isdisjoint(("cpu", "memory")):
        causes.append(not_allowed(path, "HugePages require cpu or memory"))


@lru_cache(maxsize=4096)
def _is_right(name: str, amount: str | int) -> bool:
    """Whether there is nothing to say of an amount."""
    causes = list[Cause]()
    _amount(name, amount, "", causes)
    return not causes


@lru_cache(maxsize=4096)
def _is_within(name: str, amount: str | int, limit: str | int | None) -> bool:
    """Whether there is nothing to say of a request beside its limit."""
    causes = list[Cause]()
    _within(name, amount, limit, "", causes)
    return not causes


def _within(
    name: str, amount: str | int, limit: str | int | None, path: str, causes: list[Cause]
) -> None:
    lendable = _is_native(name) and not name.startswith(_HUGE)
    if limit is None:
        if not lendable:
            detail = "Limit must be set for non overcommitable resources"
            causes.append(required(f"{path}.limits", detail))
        return
    asked, most = _nano(amount), _nano(limit)
    if not lendable and asked != most:
        detail = f"must be equal to {name} limit of {limit}"
        causes.append(wrong(f"{path}.requests", str(amount), detail))
    elif asked > most:
        detail = f"must be less than or equal to {name} limit of {limit}"
        causes.append(wrong(f"{path}.requests", str(amount), detail))


@lru_cache(maxsize=1024)
def _nano(amount: str | int) -> int:
    return parse(amount).nano


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _amount(name: str, amount: str | int, path: str, causes: list[Cause]) -> None:
    words = "must be a standard resource for containers"
    causes += resource_name(name, path, plain="container", words=words)
    extended = not _is_native(name) and not key_problems(f"requests.{name}")
    if not _is_native(name) and (name.startswith("requests.") or not extended):
        detail = "doesn't follow extended resource name standard"
        causes.append(wrong(path, name, detail))
    causes += amount_causes(amount, path, whole=extended or name in WHOLE)
    if name.startswith(_HUGE) and _nano(amount) % NANO == 0:
        causes += _pages(name, amount, path)


def amount_causes(amount: str | int, path: str, *, whole: bool) -> list[Cause]:
    """What is wrong with an amount: less than nothing, or a part of what only comes whole."""
    value, said = _nano(amount), list[Cause]()
    if value < 0:
        said.append(wrong(path, str(amount), "must be greater than or equal to 0"))
    if whole and value % NANO:
        said.append(wrong(path, str(amount), "must be an integer"))
    return said


def _pages(name: str, amount: str | int, path: str) -> list[Cause]:
    try:
        page = _nano(name.removeprefix(_HUGE))
    except ValueError:
        return []
    if page <= 0 or _nano(amount) % page == 0:
        return []
    detail = f"{amount} is not positive integer multiple of {name}"
    return [wrong(path, str(amount), detail)]


def _claims(found: list[JSON], known: Sequence[str], path: str, causes: list[Cause]) -> None:
    seen = set[str]()
    for i, claim in enumerate(found):
        at, name = f"{path}[{i}]", claim.get("name") or ""
        if not name:
            causes.append(required(at))
            continue
        asked = claim.get("request") or ""
        if asked:
            causes += [wrong(f"{at}.request", asked, p) for p in names.label(asked)]
        key = f"{name}/{asked}" if asked else name
        if name in seen or key in seen:
            causes.append(duplicate(at, key))
        seen.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{listed}"
            causes.append(absent(at, name, detail))
