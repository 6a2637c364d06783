"""The gateway's objects: one replica with a volume, behind the API server.

What it keeps (logs of pods that are gone, uploaded code) lies in its claim. It takes requests from
the API server alone, and from browsers when it has an address.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api.meta import JSON
from athanor.assembly import aggregated, rights
from athanor.assembly.install.parts import (
    CONFINED,
    LABEL,
    NOBODY,
    Wishes,
    binding_of,
    from_field,
    head,
    role_of,
    trusting,
    way_out,
)

NAME = aggregated.GATEWAY.name
PORT = 8443
_MINE = {f"{LABEL}component": NAME}


def manifests(wishes: Wishes) -> Iterable[JSON]:
    """Every object, in the order in which they are needed."""
    where = wishes.namespace
    yield from _rights(wishes)
    yield {**head("v1", "Secret", NAME, where), "type": "Opaque"}
    yield {
        **head("v1", "PersistentVolumeClaim", NAME, where),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": wishes.storage}},
        },
    }
    yield {
        **head("v1", "Service", NAME, where),
        "spec": {
            "selector": _MINE,
            "ports": [{"name": "https", "port": 443, "targetPort": PORT}],
        },
    }
    yield {
        **head("networking.k8s.io/v1", "NetworkPolicy", NAME, where),
        "spec": {
            "podSelector": {"matchLabels": _MINE},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": way_out(wishes),
        },
    }
    yield _deployment(wishes)


def _rights(wishes: Wishes) -> Iterable[JSON]:
    where = wishes.namespace
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": where}
    yield {**head("v1", "ServiceAccount", NAME, where), "automountServiceAccountToken": False}
    yield role_of("", "athanor:gateway", [*rights.gateway(), *rights.collecting()])
    yield binding_of("", "athanor:gateway", account)
    yield role_of(where, "athanor:gateway", rights.secret())
    yield binding_of(where, "athanor:gateway", account)
    yield trusting("athanor:gateway-trust", account)
    everybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group"}
    yield role_of("", "athanor:pods", rights.pods())
    yield binding_of("", "athanor:pods", {**everybody, "name": "system:serviceaccounts"})


def _deployment(wishes: Wishes) -> JSON:
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": {**NOBODY, "fsGroup": 65532},
        "containers": [_container(wishes)],
        "volumes": [
            {"name": "kept", "persistentVolumeClaim": {"claimName": NAME}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    return {
        **head("apps/v1", "Deployment", NAME, wishes.namespace),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _MINE},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": _MINE}, "spec": pod},
        },
    }


def _container(wishes: Wishes) -> JSON:
    probe = {"httpGet": {"path": "/healthz", "port": PORT, "scheme": "HTTPS"}}
    return {
        "name": "gateway",
        "image": wishes.image,
        "imagePullPolicy": wishes.pull_policy,
        "args": ["gateway", "--listen", f"0.0.0.0:{PORT}", "--keep", "/var/lib/athanor"],
        "env": [
            from_field("ATHANOR_NAMESPACE", "metadata.namespace"),
            {"name": "ATHANOR_GATEWAY_URL", "value": wishes.gateway_url},
        ],
        "ports": [{"name": "https", "containerPort": PORT}],
        "livenessProbe": {**probe, "initialDelaySeconds": 10, "periodSeconds": 10},
        "readinessProbe": {**probe, "periodSeconds": 5},
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": CONFINED,
        "volumeMounts": [
            {"name": "kept", "mountPath": "/var/lib/athanor"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
