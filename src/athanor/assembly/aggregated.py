"""The objects by which an API server finds `visibility.athanor.dev`: data alone, soon imported."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.api.visibility import GROUP, VERSION

NAME, HOME = "athanor-visibility", "kube-system"
SERVICE = f"{VERSION}.{GROUP}"
_RBAC = "rbac.authorization.k8s.io"


def manifests(controllers: str) -> list[JSON]:
    """The Service, the APIService, and the right of `controllers` (a user) to say where it is."""
    rule = {
        "apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"],
        "resourceNames": [SERVICE], "verbs": ["get", "patch"],
    }  # fmt: skip
    head = {"metadata": {"name": "athanor:visibility"}, "apiVersion": f"{_RBAC}/v1"}
    return [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": HOME},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": SERVICE},
            "spec": {
                "group": GROUP, "version": VERSION, "groupPriorityMinimum": 100,
                "versionPriority": 10, "service": {"name": NAME, "namespace": HOME, "port": 443},
            },
        },
        {**head, "kind": "ClusterRole", "rules": [rule]},
        {
            **head, "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "athanor:visibility"},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": controllers}],
        },
    ]  # fmt: skip
