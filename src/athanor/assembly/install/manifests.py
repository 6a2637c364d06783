"""All objects of an installation on a cluster, from a few wishes; the Helm chart is these, too.

The namespace enforces the Pod Security Standard `restricted`. No webhook stands in the way of
pods: what must hold is said by the definitions' schemas and CEL rules.
"""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import crd
from athanor.api.meta import API_VERSION, JSON
from athanor.assembly import classes, rights
from athanor.assembly.aggregated import VISIBILITY
from athanor.assembly.install import devices, gateway, monitoring, submitter, wished
from athanor.assembly.install.parts import (
    CONFINED,
    LABEL,
    NOBODY,
    RBAC,
    Wishes,
    binding_of,
    from_field,
    head,
    role_of,
    trusting,
    way_out,
)

NAME = "athanor-controllers"
PORT = 8080
"""Where the controllers answer `/livez`, `/readyz` and `/metrics`."""
ASKED = 8443
"""Where the leader answers `visibility.athanor.dev`."""
_AGGREGATE = f"{RBAC}/aggregate-to-"


def manifests(wishes: Wishes) -> list[JSON]:
    """Every object, in the order in which they are needed."""
    made = [
        _namespace(wishes),
        wished.manifest(wishes),
        *definitions(),
        *submitter.manifests(wishes),
        *devices.manifests(wishes),
        *_people(),
        *_rights(wishes),
        *_defaults(),
        *_guards(wishes),
        *gateway.manifests(wishes),
        *monitoring.manifests(wishes),
        _deployment(wishes),
    ]
    for manifest in made:
        manifest["metadata"].setdefault("labels", {}).update(
            {
                f"{LABEL}name": "athanor",
                f"{LABEL}part-of": "athanor",
                f"{LABEL}version": wishes.version,
            }
        )
    return made


def definitions() -> list[JSON]:
    """The definitions of our kinds. Removing one removes all objects of its kind."""
    return crd.manifests()


def _namespace(wishes: Wishes) -> JSON:
    made = head("v1", "Namespace", wishes.namespace)
    made["metadata"]["labels"] = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return made


def _people() -> Iterable[JSON]:
    """Kubernetes' own roles view, edit and admin gain our kinds by aggregation."""
    for name, granted in (("view", rights.view()), ("edit", rights.edit())):
        role = role_of("", f"athanor:{name}", granted)
        role["metadata"]["labels"] = {f"{_AGGREGATE}{name}": "true"}
        if name == "edit":
            role["metadata"]["labels"][f"{_AGGREGATE}admin"] = "true"
        yield role
    yield role_of("", "athanor:reader", rights.reader())
    yield binding_of("", "athanor:reader", _subject("Group", "system:authenticated"))


def _rights(wishes: Wishes) -> Iterable[JSON]:
    where = wishes.namespace
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": where}
    yield {**head("v1", "ServiceAccount", NAME, where), "automountServiceAccountToken": False}
    yield role_of("", "athanor:controllers", [*rights.controllers(), *rights.answering()])
    yield binding_of("", "athanor:controllers", account)
    mine = [*rights.leader(), *rights.secret(), *rights.pointing()]
    yield role_of(where, "athanor:controllers", mine)
    yield binding_of(where, "athanor:controllers", account)
    yield trusting("athanor:controllers-trust", account)


def _subject(kind: str, name: str) -> JSON:
    return {"apiGroup": RBAC, "kind": kind, "name": name}


def _defaults() -> Iterable[JSON]:
    """A pool of the nodes that are given to us by a label, a queue on it, three priorities."""
    yield from classes.priorities()
    selector = {"athanor.dev/pool": "default"}
    yield {**head(API_VERSION, "Pool", "default"), "spec": {"nodeSelector": selector}}
    yield {**head(API_VERSION, "Queue", "default"), "spec": {"pools": [{"pool": "default"}]}}


def _guards(wishes: Wishes) -> Iterable[JSON]:
    """One replica stays during drains; nobody reaches more than the metrics."""
    mine = {"matchLabels": {f"{LABEL}component": NAME}}
    yield {
        **head("policy/v1", "PodDisruptionBudget", NAME, wishes.namespace),
        "spec": {"maxUnavailable": 1, "selector": mine},
    }
    yield {
        **head("networking.k8s.io/v1", "NetworkPolicy", NAME, wishes.namespace),
        "spec": {
            "podSelector": mine,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": port} for port in (PORT, ASKED)]}],
            "egress": way_out(wishes),
        },
    }
    yield {
        **head("v1", "Service", NAME, wishes.namespace),
        "spec": {
            "selector": mine["matchLabels"],
            "ports": [{"name": "metrics", "port": PORT, "targetPort": PORT}],
        },
    }
    # without a selector: the replica that leads says where it is
    yield {
        **head("v1", "Service", VISIBILITY.name, wishes.namespace),
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": ASKED}]},
    }


def _deployment(wishes: Wishes) -> JSON:
    mine = {f"{LABEL}component": NAME}
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "securityContext": NOBODY,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": mine},
            }
        ],
        "containers": [_container(wishes)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        **head("apps/v1", "Deployment", NAME, wishes.namespace),
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
        "args": [
            "controllers",
            "--listen",
            f"0.0.0.0:{PORT}",
            "--visibility",
            f"0.0.0.0:{ASKED}",
        ],
        "env": [
            from_field("ATHANOR_IDENTITY", "metadata.name"),
            from_field("ATHANOR_NAMESPACE", "metadata.namespace"),
            from_field("ATHANOR_ADDRESS", "status.podIP"),
            {"name": "ATHANOR_IMAGE", "value": wishes.image},
            {"name": "ATHANOR_GATEWAY_URL", "value": wishes.gateway_url},
        ],
        "ports": [
            {"name": "metrics", "containerPort": PORT},
            {"name": "visibility", "containerPort": ASKED},
        ],
        "livenessProbe": {**_probe("/livez"), "initialDelaySeconds": 10, "periodSeconds": 10},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 5},
        "resources": {
            "requests": {"cpu": wishes.cpu, "memory": wishes.memory},
            "limits": {"memory": wishes.memory_limit},
        },
        "securityContext": CONFINED,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def _probe(path: str) -> JSON:
    return {"httpGet": {"path": path, "port": PORT}}
