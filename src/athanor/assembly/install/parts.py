"""What the objects of an installation are made of."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.assembly import rights
from athanor.assembly.rights import Right

RBAC = "rbac.authorization.k8s.io"
LEASE = "athanor-controllers"
"""The lease that the leading controllers hold, in the namespace of the installation."""
LABEL = "app.kubernetes.io/"
NOBODY: JSON = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""A pod's security context: the standard `restricted` asks for it."""
CONFINED: JSON = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""A container's."""


class Wishes(Struct, frozen=True, kw_only=True):
    """What may differ between installations. `api_port`: where the API server itself listens.

    `cpu`, `memory`: what each of the controllers requests; it may not use more than `memory_limit`.
    `dashboard` for Grafana, alert `rules` for the Prometheus operator: see `monitoring`.
    """

    image: str = "athanor:latest"
    namespace: str = "athanor-system"
    replicas: int = 2
    pull_policy: str = "IfNotPresent"
    version: str = ""
    gateway_url: str = ""
    storage: str = "20Gi"
    api_port: int = 6443
    cpu: str = "100m"
    memory: str = "128Mi"
    memory_limit: str = "1Gi"
    dashboard: bool = False
    rules: bool = False


def way_out(wishes: Wishes) -> list[JSON]:
    """The egress of a NetworkPolicy: the API server, wherever it is, and names.

    Policies see the port behind the Service of the API server, some networks that of the Service.
    """
    ports = dict.fromkeys((443, wishes.api_port))
    return [
        {"ports": [{"protocol": "TCP", "port": port} for port in ports]},
        {"ports": [{"protocol": kind, "port": 53} for kind in ("UDP", "TCP")]},
    ]


def trusted(wishes: Wishes) -> str:
    """Whether whoever asks is an administrator or one of ours, in CEL of an admission policy."""
    return (
        f"'system:masters' in request.userInfo.groups || request.userInfo.username.startsWith("
        f"'system:serviceaccount:{wishes.namespace}:')"
    )


def head(api_version: str, kind: str, name: str, namespace: str = "") -> JSON:
    """What an object begins with."""
    meta = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def role_of(namespace: str, name: str, granted: Sequence[Right]) -> JSON:
    """A Role, or without a namespace a ClusterRole."""
    kind = "Role" if namespace else "ClusterRole"
    return {**head(f"{RBAC}/v1", kind, name, namespace), "rules": rights.rules(granted)}


def binding_of(namespace: str, name: str, subject: JSON) -> JSON:
    """What gives the role of the same name to somebody."""
    prefix = "" if namespace else "Cluster"
    return {
        **head(f"{RBAC}/v1", f"{prefix}RoleBinding", name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": f"{prefix}Role", "name": name},
        "subjects": [subject],
    }


def trusting(name: str, subject: JSON) -> JSON:
    """What lets somebody know the API server when it passes requests on: Kubernetes' own role."""
    made = binding_of("kube-system", name, subject)
    made["roleRef"]["name"] = "extension-apiserver-authentication-reader"
    return made


def from_field(name: str, path: str) -> JSON:
    """A variable that holds something of the pod itself."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
