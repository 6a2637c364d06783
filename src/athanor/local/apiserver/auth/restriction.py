"""What a node may put into what it may write: itself, its own lease, tokens of its own pods.

After Kubernetes' NodeRestriction admission. Which objects a node may touch at all is the node
authorizer's (`node`); this looks into the objects.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.auth.node import Nodes, node_of
from athanor.wire.request import User
from athanor.wire.status import ApiError

RESERVED = "node-restriction.kubernetes.io/"
"""Labels that only administrators set: workloads may be kept to nodes by them."""


def check(user: User, resource: str, new: JSON, old: JSON | None) -> None:
    """Nothing when `user`, if it is a node, may write this. Raises ApiError Forbidden."""
    node = node_of(user)
    if node is None:
        return
    name = new["metadata"].get("name", "")
    if resource == "nodes":
        if name != node:
            raise _refused("nodes", name, f'node "{node}" is not allowed to modify node "{name}"')
        changed = sorted(_reserved(new) ^ _reserved(old or {}))
        if changed:
            said = ", ".join(key for key, _ in changed)
            raise _refused("nodes", name, f"is not allowed to modify labels: {said}")
    elif resource == "leases.coordination.k8s.io" and name != node:
        raise _refused("leases", name, "can only access node lease with the same name as the node")
    elif resource == "pods" and old is None:
        raise _refused("pods", name, f'pod does not have "{MIRROR}" annotation, node "{node}" can '
                       "only create mirror pods")  # fmt: skip


MIRROR = "kubernetes.io/config.mirror"


def check_token(nodes: Nodes, user: User, namespace: str, account: str, asked: JSON) -> None:
    """Nothing when `user`, if it is a node, may have this token. Raises ApiError Forbidden."""
    node = node_of(user)
    if node is None:
        return
    spec = asked.get("spec")
    bound = spec.get("boundObjectRef") if isinstance(spec, dict) else None
    if not isinstance(bound, dict) or bound.get("kind") != "Pod":
        raise _refused("serviceaccounts", account, "node requested token not bound to a pod")
    if not nodes.runs(node, namespace, str(bound.get("name", ""))):
        detail = "node requested token bound to a pod scheduled on a different node"
        raise _refused("serviceaccounts", account, detail)


def _reserved(node: JSON) -> set[tuple[str, str]]:
    labels = (node.get("metadata") or {}).get("labels") or {}
    return {(key, value) for key, value in labels.items() if RESERVED in key}


def _refused(plural: str, name: str, why: str) -> ApiError:
    return ApiError("Forbidden", f'{plural} "{name}" is forbidden: {why}', kind=plural, name=name)
