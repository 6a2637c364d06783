"""The roles and bindings that every cluster has, and ours; put in place at each start.

Roles are Kubernetes' documented defaults as far as this server's kinds go ("Using RBAC
Authorization", default roles), and what our own kinds add to admin, edit and view. As there, a
missing rule or subject is put back at start unless the object says `autoupdate: "false"`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from athanor.api import registry
from athanor.api.meta import GROUP as OURS
from athanor.api.meta import JSON
from athanor.local.apiserver.auth.rbac import CLUSTER_BINDINGS, CLUSTER_ROLES, GROUP, Rbac
from athanor.local.apiserver.auth.rules import Rule, rules_of, uncovered
from athanor.local.store.model import Key, Write
from athanor.local.store.store import Store

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = _READ + _WRITE


def _rule(groups: str, resources: str, verbs: tuple[str, ...]) -> JSON:
    return {
        "apiGroups": ["" if g == "core" else g for g in groups.split()],
        "resources": resources.split(),
        "verbs": list(verbs),
    }


def _paths(*paths: str) -> JSON:
    return {"nonResourceURLs": list(paths), "verbs": ["get"]}


_PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC)
_MINE = " ".join(r.plural for r in registry.OURS if r.namespaced)
_SHARED = " ".join(r.plural for r in registry.OURS if not r.namespaced)

_VIEW = [
    _rule(
        "core",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
        "pods/log pods/status services services/status serviceaccounts bindings "
        "limitranges namespaces namespaces/status resourcequotas resourcequotas/status",
        _READ,
    ),
    _rule("core events.k8s.io", "events", _READ),
    _rule("discovery.k8s.io", "endpointslices", _READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
    _rule(OURS, f"{_MINE} {_MINE.replace(' ', '/status ')}/status", _READ),
    _rule("visibility.athanor.dev", "*", _READ),
    _rule("gateway.athanor.dev", "podlogs podlogs/log", _READ),
    _rule("metrics.k8s.io", "pods", _READ),
]
_EDIT = [
    _rule("core", "pods/attach pods/exec pods/portforward pods/proxy secrets", _READ),
    _rule("core", "serviceaccounts", ("impersonate",)),
    _rule("core", "pods pods/attach pods/exec pods/portforward pods/proxy", _WRITE),
    _rule("core", "pods/eviction serviceaccounts/token", ("create",)),
    _rule("core", "configmaps persistentvolumeclaims secrets serviceaccounts services", _WRITE),
    _rule("core events.k8s.io", "events", _WRITE),
    _rule("batch", "cronjobs jobs", _WRITE),
    _rule("coordination.k8s.io", "leases", _ALL),
    _rule(OURS, _MINE, _WRITE),
    _rule("gateway.athanor.dev", "bundles", ("get", "update")),
]
_ADMIN = [
    _rule("authorization.k8s.io", "localsubjectaccessreviews", ("create",)),
    _rule(GROUP, "roles rolebindings", _ALL),
]

_NODE = [
    _rule("core", "services endpoints nodes pods namespaces persistentvolumes", _READ),
    _rule("core", "nodes nodes/status pods/status", ("create", "patch", "update")),
    _rule("core", "pods", ("create", "delete")),
    _rule("core events.k8s.io", "events", ("create", "patch", "update")),
    _rule("coordination.k8s.io", "leases", ("create", "delete", "get", "patch", "update")),
]

ROLES: dict[str, list[JSON]] = {
    "cluster-admin": [
        _rule("*", "*", ("*",)),
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ],
    "system:aggregate-to-admin": _ADMIN,
    "system:aggregate-to-edit": _EDIT,
    "system:aggregate-to-view": _VIEW,
    "system:auth-delegator": [
        _rule("authentication.k8s.io", "tokenreviews", ("create",)),
        _rule("authorization.k8s.io", "subjectaccessreviews", ("create",)),
    ],
    "system:basic-user": [
        _rule(
            "authorization.k8s.io",
            "selfsubjectaccessreviews selfsubjectrulesreviews",
            ("create",),
        ),
        _rule("authentication.k8s.io", "selfsubjectreviews", ("create",)),
    ],
    "system:discovery": [_paths(*_DISCOVERY)],
    "system:kubelet-api-admin": [
        _rule("core", "nodes nodes/proxy nodes/log nodes/metrics nodes/stats", ("*",))
    ],
    "system:monitoring": [_paths("/healthz", "/livez", "/livez/*", "/metrics", "/readyz")],
    "system:node": _NODE,
    "system:public-info-viewer": [_paths(*_PUBLIC)],
    # the node agent provisions the local StorageClass: claims become folders of its machine
    "athanor:local-storage": [
        _rule("core", "persistentvolumeclaims persistentvolumes", (*_READ, "patch")),
        _rule("core", "persistentvolumeclaims/status persistentvolumes/status", ("patch",)),
        _rule("core", "persistentvolumes", ("create", "delete")),
    ],
    "athanor:reader": [
        _rule(OURS, f"{_SHARED} {_SHARED.replace(' ', '/status ')}/status", _READ),
        _rule("core", "nodes", _READ),
        _rule("scheduling.k8s.io", "priorityclasses", _READ),
        _rule("storage.k8s.io", "storageclasses", _READ),
    ],
}
"""Name → rules of the cluster roles that are not gathered from others."""

GATHERED = {"admin": "admin", "edit": "edit", "view": "view"}
"""Cluster roles gathered from all those labelled aggregate-to-NAME."""

_ONWARD = {"edit": "admin", "view": "edit"}
"""What edit holds admin holds too, what view holds edit holds too."""

BINDINGS: dict[str, list[tuple[str, str]]] = {
    "cluster-admin": [("Group", "system:masters")],
    "system:basic-user": [("Group", "system:authenticated")],
    "system:discovery": [("Group", "system:authenticated")],
    "system:monitoring": [("Group", "system:monitoring")],
    "system:node": [],
    "system:public-info-viewer": [
        ("Group", "system:authenticated"),
        ("Group", "system:unauthenticated"),
    ],
    "athanor:local-storage": [("Group", "system:nodes")],
    "athanor:reader": [("Group", "system:authenticated")],
}
"""Cluster role (and binding) name → who has it."""


def wanted() -> Iterator[tuple[Key, JSON]]:
    """Every object that must exist, without identity."""
    for name, rules in ROLES.items():
        labels = dict(_LABELS)
        if name.startswith("system:aggregate-to-"):
            labels[_AGGREGATE + name.rpartition("-")[2]] = "true"
        yield Key(CLUSTER_ROLES, "", name), _object("ClusterRole", name, labels, rules=rules)
    for name, word in GATHERED.items():
        labels = dict(_LABELS)
        if name in _ONWARD:
            labels[_AGGREGATE + _ONWARD[name]] = "true"
        selector = {"clusterRoleSelectors": [{"matchLabels": {_AGGREGATE + word: "true"}}]}
        made = _object("ClusterRole", name, labels, aggregationRule=selector, rules=[])
        yield Key(CLUSTER_ROLES, "", name), made
    for name, subjects in BINDINGS.items():
        listed = [{"apiGroup": GROUP, "kind": kind, "name": who} for kind, who in subjects]
        role = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        made = _object("ClusterRoleBinding", name, dict(_LABELS), roleRef=role, subjects=listed)
        yield Key(CLUSTER_BINDINGS, "", name), made


Changed = Callable[[str, JSON | None, JSON | None], None]
"""Told of each write: resource, the object before, the object after."""


async def reconcile(store: Store, now: str, uid: Callable[[], str], changed: Changed) -> int:
    """Create what is missing and complete what lost something; answers how many were written."""
    writes: list[Write] = []
    told: list[tuple[str, JSON | None, JSON]] = []
    for key, obj in wanted():
        row = store.latest(key)
        if row is None:
            obj["metadata"] |= {"uid": uid(), "creationTimestamp": now}
            new, expect, old = obj, 0, None
        else:
            old = msgspec.json.decode(row.body)
            completed = _completed(old, obj)
            if completed is None:
                continue
            new, expect = completed, row.revision
        writes.append(Write(key, _encoder(new), expect))
        told.append((key.resource, old, new))
    if writes:
        await store.apply(writes)
    for resource, old, new in told:
        changed(resource, old, new)
    return len(writes)


async def gather(store: Store, rbac: Rbac, changed: Changed) -> int:
    """Write into roles with an aggregationRule what they grant now; answers how many changed."""
    writes: list[Write] = []
    told: list[tuple[JSON, JSON]] = []
    for row in store.rows(CLUSTER_ROLES):
        rules = rbac.aggregated(row.key.name)
        if rules is None:
            continue
        old = msgspec.json.decode(row.body)
        new = {**old, "rules": [_plain(rule) for rule in rules]}
        if rules_of(old) != rules:
            writes.append(Write(row.key, _encoder(new), row.revision))
            told.append((old, new))
    if writes:
        await store.apply(writes)
    for old, new in told:
        changed(CLUSTER_ROLES, old, new)
    return len(writes)


def _completed(old: JSON, obj: JSON) -> JSON | None:
    """`old` with what it lacks of `obj`, or None when nothing is missing (or it must not be)."""
    annotations = old["metadata"].get("annotations") or {}
    if annotations.get(AUTOUPDATE) == "false":
        return None
    new = dict(old)
    lacking = uncovered(rules_of(old), rules_of(obj)) if "aggregationRule" not in obj else []
    if lacking:
        new["rules"] = [*(old.get("rules") or ()), *map(_plain, lacking)]
    if obj.get("aggregationRule") != old.get("aggregationRule"):
        new["aggregationRule"] = obj["aggregationRule"]
    known = old.get("subjects") or []
    missing = [s for s in obj.get("subjects", ()) if s not in known]
    if missing:
        new["subjects"] = [*known, *missing]
    labels = old["metadata"].get("labels") or {}
    if not obj["metadata"]["labels"].items() <= labels.items():
        new["metadata"] = {**old["metadata"], "labels": labels | obj["metadata"]["labels"]}
    return None if new == old else new


def _plain(rule: Rule) -> JSON:
    built: JSON = msgspec.to_builtins(rule)
    return built


def _object(kind: str, name: str, labels: dict[str, str], **rest: object) -> JSON:
    meta = {"name": name, "labels": labels, "annotations": {AUTOUPDATE: "true"}}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, **rest}


def _encoder(obj: JSON) -> Callable[[int], bytes]:
    def encode(revision: int) -> bytes:
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(revision)}
        return msgspec.json.encode(obj)

    return encode
