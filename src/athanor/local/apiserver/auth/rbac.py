"""Who holds which rules: an index of roles and bindings that follows every write.

A check costs a dictionary look-up when it was asked before, and microseconds when not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.apiserver.auth.rules import Attributes, Rule, rules_of
from athanor.wire.request import User

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
KINDS = (ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS)
_MEMO = 20_000

Subject = tuple[str, str]
"""("User", name) or ("Group", name); service accounts are users."""


class Binding(Struct, frozen=True):
    """One binding as it counts: where it holds ("" is everywhere), which role, whom."""

    name: str
    namespace: str
    role_kind: str
    role: str
    subjects: tuple[Subject, ...]


class Grant(Struct, frozen=True):
    """Why something is allowed: the binding, and one of its rules."""

    binding: Binding
    subject: Subject
    rule: Rule

    def reason(self) -> str:
        """The sentence that access reviews give."""
        kind = "RoleBinding" if self.binding.namespace else "ClusterRoleBinding"
        where = f"/{self.binding.namespace}" if self.binding.namespace else ""
        who, name = self.subject
        if name.startswith("system:serviceaccount:") and who == "User":
            _, _, namespace, account = name.split(":", 3)
            who, name = "ServiceAccount", f"{account}/{namespace}"
        return (
            f'RBAC: allowed by {kind} "{self.binding.name}{where}" of {self.binding.role_kind} '
            f'"{self.binding.role}" to {who} "{name}"'
        )


class Rbac:
    """Roles and bindings, indexed. Feed it every object of the four kinds."""

    def __init__(self) -> None:
        self._roles: dict[tuple[str, str, str], tuple[Rule, ...]] = {}
        self._aggregates: dict[str, list[JSON]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._own: dict[str, tuple[Rule, ...]] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        self._by_subject: dict[Subject, dict[tuple[str, str], Binding]] = {}
        self._memo: dict[tuple[object, ...], Grant | None] = {}

    def changed(self, resource: str, old: JSON | None, new: JSON | None) -> None:
        """One object was created (no old), changed, or deleted (no new)."""
        obj = new or old
        if resource not in KINDS or obj is None:
            return
        self._memo.clear()
        namespace, name = _where(obj)
        if resource == ROLES:
            self._role(("Role", namespace, name), new)
        elif resource == CLUSTER_ROLES:
            self._cluster_role(name, new)
        else:
            self._unbind((namespace, name))
            if new is not None:
                self._bind((namespace, name), _binding(new))

    def find(self, user: User, asked: Attributes) -> Grant | None:
        """What allows the request, or None."""
        key = (
            user.name, user.groups, asked.verb, asked.group, asked.resource, asked.subresource,
            asked.namespace, asked.name, asked.path,
        )  # fmt: skip
        try:
            return self._memo[key]
        except KeyError:
            pass
        found = next(
            (
                Grant(binding, subject, rule)
                for binding, subject in self._of(user, asked.namespace)
                for rule in self.rules(binding.role_kind, binding.namespace, binding.role)
                if rule.allows(asked)
            ),
            None,
        )
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        self._memo[key] = found
        return found

    def held(self, user: User, namespace: str) -> list[Rule]:
        """All rules the user holds in a namespace ("": cluster-wide ones only)."""
        return [
            rule
            for binding, _ in self._of(user, namespace)
            for rule in self.rules(binding.role_kind, binding.namespace, binding.role)
        ]

    def rules(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...]:
        """The rules of a role; none when it does not exist."""
        where = namespace if kind == "Role" else ""
        return self._roles.get((kind, where, name), ())

    def exists(self, kind: str, namespace: str, name: str) -> bool:
        """Whether there is such a role."""
        return (kind, namespace if kind == "Role" else "", name) in self._roles

    def aggregated(self, name: str) -> tuple[Rule, ...] | None:
        """What a ClusterRole with an aggregationRule grants, or None when it has none."""
        if name not in self._aggregates:
            return None
        chosen = [
            other
            for other, labels in sorted(self._labels.items())
            if other != name and any(_selects(s, labels) for s in self._aggregates[name])
        ]
        return tuple(dict.fromkeys(r for other in chosen for r in self._rules_now(other)))

    def _rules_now(self, name: str) -> tuple[Rule, ...]:
        return self._own.get(name, ())

    def _of(self, user: User, namespace: str) -> Iterator[tuple[Binding, Subject]]:
        subjects: list[Subject] = [("User", user.name), *(("Group", g) for g in user.groups)]
        for subject in subjects:
            for binding in self._by_subject.get(subject, {}).values():
                if not binding.namespace or binding.namespace == namespace:
                    yield binding, subject

    def _cluster_role(self, name: str, role: JSON | None) -> None:
        if role is None:
            for table in (self._own, self._labels, self._aggregates):
                table.pop(name, None)
            self._roles.pop(("ClusterRole", "", name), None)
        else:
            self._own[name] = rules_of(role)
            self._labels[name] = role["metadata"].get("labels") or {}
            selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
            if selectors:
                self._aggregates[name] = selectors
            else:
                self._aggregates.pop(name, None)
                self._roles["ClusterRole", "", name] = self._own[name]
        # roles may be gathered from roles that are themselves gathered: admin from edit from view
        for _ in self._aggregates:
            before = {n: self._own.get(n) for n in self._aggregates}
            for gathered in self._aggregates:
                rules = self.aggregated(gathered) or ()
                self._own[gathered] = rules
                self._roles["ClusterRole", "", gathered] = rules
            if before == {n: self._own.get(n) for n in self._aggregates}:
                break

    def _bind(self, key: tuple[str, str], binding: Binding) -> None:
        self._bindings[key] = binding
        for subject in binding.subjects:
            self._by_subject.setdefault(subject, {})[key] = binding

    def _unbind(self, key: tuple[str, str]) -> None:
        binding = self._bindings.pop(key, None)
        for subject in binding.subjects if binding else ():
            of_subject = self._by_subject.get(subject, {})
            of_subject.pop(key, None)
            if not of_subject:
                self._by_subject.pop(subject, None)

    def _role(self, key: tuple[str, str, str], role: JSON | None) -> None:
        if role is None:
            self._roles.pop(key, None)
        else:
            self._roles[key] = rules_of(role)


def _where(obj: JSON) -> tuple[str, str]:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _binding(obj: JSON) -> Binding:
    namespace, name = _where(obj)
    ref = obj.get("roleRef") or {}
    subjects = tuple(_subjects(obj.get("subjects") or (), namespace))
    return Binding(name, namespace, ref.get("kind", ""), ref.get("name", ""), subjects)


def _subjects(listed: Iterable[JSON], namespace: str) -> Iterator[Subject]:
    for subject in listed:
        kind, name = subject.get("kind"), subject.get("name", "")
        if kind == "ServiceAccount":
            where = subject.get("namespace") or namespace
            yield "User", f"system:serviceaccount:{where}:{name}"
        elif kind in ("User", "Group"):
            yield kind, name


def _selects(selector: JSON, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(k) != v for k, v in wanted.items()):
        return False
    for e in selector.get("matchExpressions") or ():
        key, values = e.get("key", ""), e.get("values") or ()
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds.get(e.get("operator", ""), False):
            return False
    return True
