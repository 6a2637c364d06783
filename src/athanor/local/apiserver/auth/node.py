"""The node authorizer: a node reads what its own pods need and writes only what is its own.

After Kubernetes' "Using Node Authorization" and NodeRestriction, as far as our kinds go. Pods are
followed write by write, so a check never reads the store.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.apiserver.auth.rules import Attributes
from athanor.wire.request import User

PREFIX, GROUP = "system:node:", "system:nodes"
_READ = frozenset(("get", "list", "watch"))
_WRITE = frozenset(("create", "update", "patch"))
_READABLE = {
    ("", "services"), ("", "nodes"), ("", "pods"), ("", "endpoints"), ("", "namespaces"),
    ("", "persistentvolumes"), ("storage.k8s.io", "storageclasses"),
    ("discovery.k8s.io", "endpointslices"), ("scheduling.k8s.io", "priorityclasses"),
}  # fmt: skip
_REFERENCED = {"secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts"}

Reference = tuple[str, str, str]
"""(resource, namespace, name) of something a pod mounts or runs as."""


class Pod(Struct, frozen=True):
    """A pod as far as it matters here: its node and what it refers to."""

    node: str
    references: frozenset[Reference]


def node_of(user: User) -> str | None:
    """The name of the node this user is, or None."""
    if GROUP in user.groups and user.name.startswith(PREFIX):
        return user.name.removeprefix(PREFIX) or None
    return None


class Nodes:
    """Follows pods; answers for nodes."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], Pod] = {}
        self._users: dict[tuple[str, Reference], int] = {}

    def changed(self, resource: str, old: JSON | None, new: JSON | None) -> None:
        """A pod was created, changed or deleted."""
        if resource != "pods":
            return
        meta = (new or old or {})["metadata"]
        key = (meta["namespace"], meta["name"])
        before = self._pods.pop(key, None)
        after = None
        if new is not None:
            node = (new.get("spec") or {}).get("nodeName") or ""
            after = Pod(node, frozenset(_references(new) if node else ()))
            self._pods[key] = after
        if before != after:
            self._count(before, -1)
            self._count(after, 1)

    def allows(self, node: str, asked: Attributes) -> bool:
        """Whether the node may do this by itself (RBAC may allow more)."""
        at = (asked.group, asked.resource)
        if asked.verb in _READ and at in _READABLE and not asked.subresource:
            return True
        if asked.group == "" and asked.resource in _REFERENCED:
            return self._may_use(node, asked)
        if at == ("", "nodes"):
            return self._own_node(node, asked)
        if at == ("", "pods"):
            return self._own_pod(node, asked)
        if at == ("coordination.k8s.io", "leases"):
            own = asked.name == node or (asked.verb == "create" and not asked.name)
            verbs = _WRITE | {"get", "delete"}
            return asked.namespace == "kube-node-lease" and own and asked.verb in verbs
        if asked.resource == "events":
            return asked.verb in ("create", "patch", "update")
        return asked.verb == "create" and at in (
            ("authentication.k8s.io", "tokenreviews"),
            ("authorization.k8s.io", "subjectaccessreviews"),
            ("authorization.k8s.io", "localsubjectaccessreviews"),
        )

    def runs(self, node: str, namespace: str, pod: str) -> bool:
        """Whether the pod is bound to the node."""
        known = self._pods.get((namespace, pod))
        return known is not None and known.node == node

    def _may_use(self, node: str, asked: Attributes) -> bool:
        reference = (asked.resource, asked.namespace, asked.name)
        if not asked.name or not self._users.get((node, reference)):
            return False
        if asked.resource == "serviceaccounts":
            return (asked.verb, asked.subresource) in (("create", "token"), ("get", ""))
        return asked.verb in _READ and not asked.subresource

    @staticmethod
    def _own_node(node: str, asked: Attributes) -> bool:
        if asked.verb == "create" and not asked.subresource:
            return asked.name in ("", node)
        return asked.name == node and asked.verb in _WRITE and asked.subresource in ("", "status")

    def _own_pod(self, node: str, asked: Attributes) -> bool:
        known = self._pods.get((asked.namespace, asked.name))
        if not asked.name or (known is not None and known.node != node):
            return False  # of one that is not there it is told so, as NodeRestriction does
        if asked.subresource == "status":
            return asked.verb in ("get", "patch", "update")
        return asked.verb == "delete" or (asked.verb, asked.subresource) == ("create", "eviction")

    def _count(self, pod: Pod | None, step: int) -> None:
        for reference in pod.references if pod else ():
            key = (pod.node if pod else "", reference)
            left = self._users.get(key, 0) + step
            if left:
                self._users[key] = left
            else:
                self._users.pop(key, None)


def _references(pod: JSON) -> Iterator[Reference]:
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    yield "serviceaccounts", namespace, spec.get("serviceAccountName") or "default"
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", namespace, secret.get("name", "")
    for volume in spec.get("volumes") or ():
        for resource, name in _volume(volume, pod["metadata"]["name"]):
            yield resource, namespace, name
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            yield from _named(source, namespace, "secretRef", "configMapRef")
        for variable in container.get("env") or ():
            if value := variable.get("valueFrom"):
                yield from _named(value, namespace, "secretKeyRef", "configMapKeyRef")


def _volume(volume: JSON, pod: str) -> Iterator[tuple[str, str]]:
    if secret := volume.get("secret"):
        yield "secrets", secret.get("secretName", "")
    if config := volume.get("configMap"):
        yield "configmaps", config.get("name", "")
    if claim := volume.get("persistentVolumeClaim"):
        yield "persistentvolumeclaims", claim.get("claimName", "")
    if volume.get("ephemeral"):
        yield "persistentvolumeclaims", f"{pod}-{volume.get('name', '')}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        for key, resource in (("secret", "secrets"), ("configMap", "configmaps")):
            if found := source.get(key):
                yield resource, found.get("name", "")


def _named(source: JSON, namespace: str, secret: str, config: str) -> Iterator[Reference]:
    if found := source.get(secret):
        yield "secrets", namespace, found.get("name", "")
    if found := source.get(config):
        yield "configmaps", namespace, found.get("name", "")
