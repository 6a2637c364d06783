"""Role, ClusterRole and their bindings."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import required, unsupported, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.status import Cause

GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def _check_role(obj: JSON) -> list[Cause]:
    causes = []
    gathers = obj.get("aggregationRule")
    if gathers is not None and not gathers.get("clusterRoleSelectors"):
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        causes.append(required("aggregationRule.clusterRoleSelectors", detail))
    for i, rule in enumerate(obj.get("rules") or []):
        path = f"rules[{i}]"
        if not rule.get("verbs"):
            causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
        if rule.get("nonResourceURLs"):
            if obj["kind"] == "Role":
                detail = "namespaced rules cannot apply to non-resource URLs"
                value = rule["nonResourceURLs"]
                causes.append(wrong(f"{path}.nonResourceURLs", value, detail))
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                detail = "rules cannot apply to both regular resources and non-resource URLs"
                value = rule["nonResourceURLs"]
                causes.append(wrong(f"{path}.nonResourceURLs", value, detail))
            continue
        if not rule.get("apiGroups"):
            detail = "resource rules must supply at least one api group"
            causes.append(required(f"{path}.apiGroups", detail))
        if not rule.get("resources"):
            detail = "resource rules must supply at least one resource"
            causes.append(required(f"{path}.resources", detail))
    return causes


def _default_role(obj: JSON) -> None:
    if not obj.get("rules"):
        obj["rules"] = None


def _default_binding(obj: JSON) -> None:
    if not obj.get("subjects"):
        obj.pop("subjects", None)
    reference = obj.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


def _check_binding(obj: JSON) -> list[Cause]:
    causes, reference = list[Cause](), obj.get("roleRef") or {}
    if reference.get("apiGroup", GROUP) != GROUP:
        causes.append(unsupported("roleRef.apiGroup", reference["apiGroup"], [GROUP]))
    words: tuple[str, ...] = ("Role", "ClusterRole")
    if obj["kind"] == "ClusterRoleBinding":
        words = ("ClusterRole",)
    if reference.get("kind") not in words:
        causes.append(unsupported("roleRef.kind", reference.get("kind") or "", words))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    for i, subject in enumerate(obj.get("subjects") or []):
        path = f"subjects[{i}]"
        if not subject.get("name"):
            causes.append(required(f"{path}.name"))
        if subject.get("kind") not in _SUBJECTS:
            causes.append(unsupported(f"{path}.kind", subject.get("kind") or "", _SUBJECTS))
        elif (
            subject["kind"] == "ServiceAccount"
            and not subject.get("namespace")
            and obj["kind"] == "ClusterRoleBinding"
        ):
            causes.append(required(f"{path}.namespace"))
    return causes


def _update_binding(new: JSON, old: JSON) -> list[Cause]:
    if new.get("roleRef") != old.get("roleRef"):
        return [wrong("roleRef", new.get("roleRef"), "cannot change roleRef")]
    return []


_ROLE = Strategy(
    default=_default_role, check=_check_role, name=names.path_segment, create_on_update=True
)
_BINDING = Strategy(
    default=_default_binding, check=_check_binding, check_update=_update_binding,
    name=names.path_segment, create_on_update=True,
)  # fmt: skip

STRATEGIES: Mapping[str, Strategy] = {
    f"roles.{GROUP}": _ROLE,
    f"clusterroles.{GROUP}": _ROLE,
    f"rolebindings.{GROUP}": _BINDING,
    f"clusterrolebindings.{GROUP}": _BINDING,
}
