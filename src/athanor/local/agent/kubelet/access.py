"""Who may ask this node what: the platform's own API server, or whom a cluster's RBAC lets.

In a cluster it goes as on any kubelet with webhook authorization: a client certificate of the
cluster, or a token that a TokenReview knows; then a SubjectAccessReview for nodes/SUBRESOURCE.
"""

from __future__ import annotations

from typing import NamedTuple

from athanor.api.meta import JSON
from athanor.kit.exchange import Exchange
from athanor.local.agent.node import Node
from athanor.wire import calls
from athanor.wire.status import ApiError

CALLER = "kube-apiserver-kubelet-client"
ALLOWED, REFUSED = 300.0, 30.0
"""Seconds that an answer is good for (the kubelet's defaults)."""
_REMEMBERED = 1024
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PARTS = {"stats": "stats", "metrics": "metrics", "logs": "log", "spec": "spec"}


class Asker(NamedTuple):
    """Somebody the cluster knows."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""


class Access:
    """Checks requests. Answers of the cluster are remembered for a while."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[tuple[str, ...], tuple[float, bool]] = {}
        self._tokens: dict[str, tuple[float, Asker]] = {}

    async def check(self, exchange: Exchange) -> None:
        """Raises ApiError: Unauthorized for the unknown, Forbidden for what they may not."""
        peer = exchange.peer
        if self._node.settings.joined is None:
            if peer is None or (peer.name != CALLER and "system:masters" not in peer.organizations):
                raise ApiError("Unauthorized", "only the API server may ask this node")
            return
        if peer is not None:
            asker = Asker(peer.name, (*peer.organizations, "system:authenticated"))
        else:
            asker = await self._by_token(exchange.headers.get("authorization", ""))
        if "system:masters" in asker.groups:
            return
        verb = _VERBS.get(exchange.method, "get")
        part = _PARTS.get(exchange.path.strip("/").partition("/")[0], "proxy")
        if not await self._may(asker, verb, part):
            name = self._node.settings.name
            said = f"{asker.name} cannot {verb} resource nodes/{part} of node {name}"
            raise ApiError("Forbidden", f"Forbidden (user={asker.name}): {said}")

    async def _by_token(self, header: str) -> Asker:
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise ApiError("Unauthorized", "Unauthorized")
        now = self._node.clock.monotonic()
        until, asker = self._tokens.get(token, (0.0, Asker("", ())))
        if until > now:
            return asker
        spec: JSON = {"token": token}
        status = await self._review("authentication.k8s.io", "TokenReview", "tokenreviews", spec)
        if not status.get("authenticated"):
            raise ApiError("Unauthorized", "Unauthorized")
        user = status["user"]
        asker = Asker(user["username"], tuple(user.get("groups") or ()), user.get("uid", ""))
        if len(self._tokens) >= _REMEMBERED:
            self._tokens.clear()
        self._tokens[token] = (now + REFUSED, asker)
        return asker

    async def _may(self, asker: Asker, verb: str, part: str) -> bool:
        key = (asker.name, *asker.groups, verb, part)
        now = self._node.clock.monotonic()
        until, may = self._known.get(key, (0.0, False))
        if until > now:
            return may
        spec: JSON = {
            "user": asker.name, "groups": list(asker.groups), "uid": asker.uid,
            "resourceAttributes": {
                "verb": verb, "version": "v1", "resource": "nodes", "subresource": part,
                "name": self._node.settings.name,
            },
        }  # fmt: skip
        status = await self._review(
            "authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews", spec
        )
        may = bool(status.get("allowed"))
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = (now + (ALLOWED if may else REFUSED), may)
        return may

    async def _review(self, group: str, kind: str, plural: str, spec: JSON) -> JSON:
        body: JSON = {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
        said = await self._node.client(calls.raw("POST", f"/apis/{group}/v1/{plural}", body=body))
        status: JSON = said.get("status") or {}
        return status
