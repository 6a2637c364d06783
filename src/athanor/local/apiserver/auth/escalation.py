"""Nobody grants what they do not hold: checks on writes of roles and bindings.

Whoever may `escalate` a role, or `bind` it, is free to; so is `system:masters`. The rules and the
wording are those of Kubernetes ("Privilege escalation prevention and bootstrapping").
"""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.auth.auth import MASTERS, Auth
from athanor.local.apiserver.auth.rbac import CLUSTER_ROLES, GROUP, KINDS, ROLES
from athanor.local.apiserver.auth.rules import Attributes, Rule, compact, rules_of, uncovered
from athanor.wire.request import User
from athanor.wire.status import ApiError, Cause


def check(auth: Auth, user: User, resource: str, new: JSON, old: JSON | None = None) -> None:
    """Nothing when the user may write `new` (over `old`). Raises ApiError Forbidden or Invalid."""
    if resource not in KINDS:
        return
    if resource in (ROLES, CLUSTER_ROLES):
        _check_role(auth, user, resource, new, old)
    else:
        _check_binding(auth, user, resource, new, old)


def _check_role(auth: Auth, user: User, resource: str, new: JSON, old: JSON | None) -> None:
    gathers = resource == CLUSTER_ROLES and new.get("aggregationRule")
    if old is not None and _same(new, old, "rules", "aggregationRule"):
        return
    meta = new["metadata"]
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    plural = resource.partition(".")[0]
    if _may(auth, user, "escalate", plural, namespace, name):
        return
    wanted = rules_of(new)
    if gathers:  # whoever gathers roles must hold everything, for anything may be gathered
        wanted = (*wanted, Rule(verbs=("*",), api_groups=("*",), resources=("*",)))
    _must_hold(auth, user, resource, namespace, name, wanted)


def _check_binding(auth: Auth, user: User, resource: str, new: JSON, old: JSON | None) -> None:
    meta, ref = new["metadata"], new.get("roleRef") or {}
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    if old is not None and old.get("roleRef") != ref:
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        detail = "cannot change roleRef"
        cause = Cause(
            reason="FieldValueInvalid",
            message=f"Invalid value: {errors.shown(ref)}: {detail}",
            field="roleRef",
        )
        raise errors.invalid(kind, GROUP, name, [cause])
    if old is not None and _same(new, old, "subjects"):
        return
    kind, role = ref.get("kind", ""), ref.get("name", "")
    plural = "roles" if kind == "Role" else "clusterroles"
    if _may(auth, user, "bind", plural, namespace, role):
        return
    where = namespace if kind == "Role" else ""
    if not auth.rbac.exists(kind, where, role):
        # the binding's own resource and the role's name, as Kubernetes says it
        raise ApiError(
            "NotFound", f'{resource} "{role}" not found', kind=resource.partition(".")[0],
            group=GROUP, name=role,
        )  # fmt: skip
    _must_hold(auth, user, resource, namespace, name, auth.rbac.rules(kind, namespace, role))


def _may(auth: Auth, user: User, verb: str, plural: str, namespace: str, name: str) -> bool:
    asked = Attributes(verb=verb, group=GROUP, resource=plural, namespace=namespace, name=name)
    return auth.why(user, asked) is not None


def _must_hold(
    auth: Auth, user: User, resource: str, namespace: str, name: str, wanted: tuple[Rule, ...]
) -> None:
    if MASTERS in user.groups:
        return
    missing = uncovered(auth.rbac.held(user, namespace), wanted)
    if not missing:
        return
    groups = " ".join(f'"{g}"' for g in user.groups)
    lines = "\n".join(sorted(rule.shown() for rule in compact(missing)))
    raise ApiError(
        "Forbidden",
        f'{resource} "{name}" is forbidden: user "{user.name}" (groups=[{groups}]) is attempting '
        f"to grant RBAC permissions not currently held:\n{lines}",
        kind=resource.partition(".")[0],
        group=GROUP,
        name=name,
    )


def _same(new: JSON, old: JSON, *fields: str) -> bool:
    return all(
        msgspec.json.encode(new.get(f) or None) == msgspec.json.encode(old.get(f) or None)
        for f in fields
    )
