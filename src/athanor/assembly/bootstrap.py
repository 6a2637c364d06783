"""The objects that every laptop cluster starts with; created when missing, ours kept current.

Roles of Kubernetes itself are `local.apiserver.auth.bootstrap`'s, our definitions its `crds`'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from athanor.api import labels
from athanor.api.meta import API_VERSION, JSON
from athanor.api.registry import Resource, by_kind
from athanor.assembly import aggregated, classes, rights
from athanor.client.protocol import Client
from athanor.wire import calls
from athanor.wire.status import ApiError

RBAC = "rbac.authorization.k8s.io"
CONTROLLERS = "system:athanor-controllers"
GATEWAY = "system:athanor-gateway"
HOME = "kube-system"
"""Where the lease of the controllers lies."""
OWNED = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
"""Kinds whose objects here are ours alone: a newer version brings them up to date."""


def manifests() -> list[JSON]:
    """All of them, in the order in which they are needed."""
    doors = [(aggregated.VISIBILITY, CONTROLLERS), (aggregated.GATEWAY, GATEWAY)]
    doors.append((aggregated.METRICS, aggregated.NODES))
    aside = aggregated.manifests(doors)
    return [*_namespaces(), *_rights(), *_priorities(), _storage(), *_queues(), *aside]


def _head(api_version: str, kind: str, name: str) -> JSON:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def _namespaces() -> Iterable[JSON]:
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        yield _head("v1", "Namespace", name)


def _rights() -> Iterable[JSON]:
    yield from _granted("", [*rights.controllers(), *rights.laptop()])
    yield from _granted(HOME, rights.leader())

    yield from _granted("", rights.gateway(), "gateway", {"kind": "User", "name": GATEWAY})
    everybody = {"kind": "Group", "name": "system:serviceaccounts"}
    yield from _granted("", rights.pods(), "pods", everybody)


def _granted(
    namespace: str, granted: Iterable[rights.Right], whose: str = "controllers",
    subject: JSON | None = None,
) -> Iterable[JSON]:  # fmt: skip
    prefix = "" if namespace else "Cluster"
    name = f"athanor:{whose}"
    for manifest in (
        {**_head(f"{RBAC}/v1", f"{prefix}Role", name), "rules": rights.rules(granted)},
        {
            **_head(f"{RBAC}/v1", f"{prefix}RoleBinding", name),
            "roleRef": {"apiGroup": RBAC, "kind": f"{prefix}Role", "name": name},
            "subjects": [{"apiGroup": RBAC, **(subject or {"kind": "User", "name": CONTROLLERS})}],
        },
    ):
        if namespace:
            manifest["metadata"]["namespace"] = namespace
        yield manifest


def _priorities() -> Iterable[JSON]:
    group = "scheduling.k8s.io/v1"
    system = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
    for name, value in system.items():
        yield {**_head(group, "PriorityClass", name), "value": value}
    yield from classes.priorities()


def _storage() -> JSON:
    made = _head("storage.k8s.io/v1", "StorageClass", "local")
    made["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {**made, "provisioner": "athanor.dev/local", "volumeBindingMode": "Immediate"}


def _queues() -> Iterable[JSON]:
    yield {**_head(API_VERSION, "Pool", "default"), "spec": {"exclusive": False}}
    # namespaces that have a queue of their own do not use the common one
    others = {"matchExpressions": [{"key": labels.QUEUE, "operator": "DoesNotExist"}]}
    spec = {"pools": [{"pool": "default"}], "namespaceSelector": others}
    yield {**_head(API_VERSION, "Queue", "default"), "spec": spec}


async def ensure(client: Client, wanted: Iterable[JSON]) -> int:
    """Create what is missing and update what is ours and old; returns how many were written."""
    kinds: dict[str, list[JSON]] = {}
    for manifest in wanted:
        kinds.setdefault(manifest["kind"], []).append(manifest)
    written = 0
    for group in kinds.values():
        written += sum(await asyncio.gather(*(_one(client, manifest) for manifest in group)))
    return written


async def _one(client: Client, manifest: JSON) -> int:
    resource = by_kind(manifest["apiVersion"], manifest["kind"])
    assert resource is not None
    name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace")
    try:
        found = await client(calls.raw("GET", resource.path(namespace, name)))
    except ApiError as missing:
        if missing.reason != "NotFound":
            raise
        await client(calls.create(resource, manifest))
        return 1
    if manifest["kind"] not in OWNED or _covers(found, manifest):
        return 0
    await _update(client, resource, found, manifest)
    return 1


def _covers(found: JSON, manifest: JSON) -> bool:
    """Whether an object says already what the manifest says, the server's defaults aside."""
    return all(
        _within(value, found.get(key)) for key, value in manifest.items() if key != "metadata"
    )


def _within(wanted: object, found: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(v, found.get(k)) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(map(_within, wanted, found))
        )
    return wanted == found


async def _update(client: Client, resource: Resource, found: JSON, manifest: JSON) -> None:
    body = {**found, **{key: value for key, value in manifest.items() if key != "metadata"}}
    await client(calls.update(resource, body))
