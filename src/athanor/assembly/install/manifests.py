"""All objects of an installation on a cluster, from a few wishes; the Helm chart is these, too.

The namespace enforces the Pod Security Standard `restricted`. No webhook stands in the way of
pods: what must hold is said by the definitions' schemas and CEL rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from athanor.api import crd
from athanor.api.meta import API_VERSION, JSON
from athanor.assembly import rights
from athanor.assembly.rights import Right

NAME = "athanor-controllers"
LEASE = "athanor-controllers"
PORT = 8080
"""Where the controllers answer `/livez`, `/readyz` and `/metrics`."""
_RBAC = "rbac.authorization.k8s.io"
_LABEL = "app.kubernetes.io/"
_AGGREGATE = f"{_RBAC}/aggregate-to-"


class Wishes(Struct, frozen=True, kw_only=True):
    """What may differ between installations."""

    image: str
    namespace: str = "athanor-system"
    replicas: int = 2
    pull_policy: str = "IfNotPresent"
    version: str = ""


def manifests(wishes: Wishes) -> list[JSON]:
    """Every object, in the order in which they are needed."""
    made = [
        _namespace(wishes),
        *definitions(),
        *_people(),
        *_rights(wishes),
        *_defaults(),
        *_guards(wishes),
        _deployment(wishes),
    ]
    for manifest in made:
        manifest["metadata"].setdefault("labels", {}).update(
            {
                f"{_LABEL}name": "athanor",
                f"{_LABEL}part-of": "athanor",
                f"{_LABEL}version": wishes.version,
            }
        )
    return made


def definitions() -> list[JSON]:
    """The definitions of our kinds. Removing one removes all objects of its kind."""
    return crd.manifests()


def _head(api_version: str, kind: str, name: str, namespace: str = "") -> JSON:
    meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _namespace(wishes: Wishes) -> JSON:
    made = _head("v1", "Namespace", wishes.namespace)
    made["metadata"]["labels"] = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return made


def _people() -> Iterable[JSON]:
    """Kubernetes' own roles view, edit and admin gain our kinds by aggregation."""
    for name, granted in (("view", rights.view()), ("edit", rights.edit())):
        role = _role("", f"athanor:{name}", granted)
        role["metadata"]["labels"] = {f"{_AGGREGATE}{name}": "true"}
        if name == "edit":
            role["metadata"]["labels"][f"{_AGGREGATE}admin"] = "true"
        yield role
    yield _role("", "athanor:reader", rights.reader())
    yield _binding("", "athanor:reader", _subject("Group", "system:authenticated"))


def _rights(wishes: Wishes) -> Iterable[JSON]:
    where = wishes.namespace
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": where}
    yield {**_head("v1", "ServiceAccount", NAME, where), "automountServiceAccountToken": False}
    yield _role("", "athanor:controllers", rights.controllers())
    yield _binding("", "athanor:controllers", account)
    yield _role(where, "athanor:controllers", rights.leader())
    yield _binding(where, "athanor:controllers", account)


def _role(namespace: str, name: str, granted: Sequence[Right]) -> JSON:
    kind = "Role" if namespace else "ClusterRole"
    return {**_head(f"{_RBAC}/v1", kind, name, namespace), "rules": rights.rules(granted)}


def _binding(namespace: str, name: str, subject: JSON) -> JSON:
    prefix = "" if namespace else "Cluster"
    return {
        **_head(f"{_RBAC}/v1", f"{prefix}RoleBinding", name, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": f"{prefix}Role", "name": name},
        "subjects": [subject],
    }


def _subject(kind: str, name: str) -> JSON:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _defaults() -> Iterable[JSON]:
    """A pool of the nodes that are given to us by a label, a queue on it, three priorities."""
    group = "scheduling.k8s.io/v1"
    for name, value in {"low": -1000, "high": 1000, "urgent": 10000}.items():
        yield {**_head(group, "PriorityClass", f"athanor-{name}"), "value": value}
    selector = {"athanor.dev/pool": "default"}
    yield {**_head(API_VERSION, "Pool", "default"), "spec": {"nodeSelector": selector}}
    yield {**_head(API_VERSION, "Queue", "default"), "spec": {"pools": [{"pool": "default"}]}}


def _guards(wishes: Wishes) -> Iterable[JSON]:
    """One replica stays during drains; nobody reaches more than the metrics."""
    mine = {"matchLabels": {f"{_LABEL}component": NAME}}
    yield {
        **_head("policy/v1", "PodDisruptionBudget", NAME, wishes.namespace),
        "spec": {"maxUnavailable": 1, "selector": mine},
    }
    yield {
        **_head("networking.k8s.io/v1", "NetworkPolicy", NAME, wishes.namespace),
        "spec": {
            "podSelector": mine,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
            # the API server, wherever it is, and names
            "egress": [
                {"ports": [{"protocol": "TCP", "port": port} for port in (443, 6443)]},
                {"ports": [{"protocol": kind, "port": 53} for kind in ("UDP", "TCP")]},
            ],
        },
    }
    yield {
        **_head("v1", "Service", NAME, wishes.namespace),
        "spec": {
            "selector": mine["matchLabels"],
            "ports": [{"name": "metrics", "port": PORT, "targetPort": PORT}],
        },
    }


def _deployment(wishes: Wishes) -> JSON:
    mine = {f"{_LABEL}component": NAME}
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": mine},
            }
        ],
        "containers": [_container(wishes)],
    }
    return {
        **_head("apps/v1", "Deployment", NAME, wishes.namespace),
        "spec": {
            "replicas": wishes.replicas,
            "selector": {"matchLabels": mine},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": mine}, "spec": pod},
        },
    }


def _container(wishes: Wishes) -> JSON:
    return {
        "name": "controllers",
        "image": wishes.image,
        "imagePullPolicy": wishes.pull_policy,
        "args": ["controllers", "--listen", f"0.0.0.0:{PORT}"],
        "env": [
            _from_field("ATHANOR_IDENTITY", "metadata.name"),
            _from_field("ATHANOR_NAMESPACE", "metadata.namespace"),
        ],
        "ports": [{"name": "metrics", "containerPort": PORT}],
        "livenessProbe": {**_probe("/livez"), "initialDelaySeconds": 10, "periodSeconds": 10},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 5},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _from_field(name: str, path: str) -> JSON:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str) -> JSON:
    return {"httpGet": {"path": path, "port": PORT}}
