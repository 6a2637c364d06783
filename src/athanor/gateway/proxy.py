"""Answers browsers: lets those in who may, and passes their requests on into workspaces.

`POST /connect/NAMESPACE/NAME`, with a client certificate or a token of the cluster, answers a link
for whoever may update that Workspace (RBAC decides). The link sets a cookie for its path; with the
cookie everything below the path goes to the workspace's program.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from athanor.api import reach
from athanor.api.meta import JSON
from athanor.api.workspaces import Workspace
from athanor.client.portforward import PortForward
from athanor.client.protocol import Client
from athanor.gateway import tickets
from athanor.gateway.tickets import Ticket
from athanor.gateway.tunnel import Tunnel
from athanor.kit.clock import Clock
from athanor.kit.exchange import Body, Exchange, TooLarge, Unreachable
from athanor.kit.onward import Onward
from athanor.runtime.cache import Key
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

COOKIE = "athanor-workspace"
LARGEST = 1 << 30
"""Bytes of an upload."""
HELD = 1 << 20
"""Bytes of one that is held in memory."""
QUIET = ("GET", "HEAD", "OPTIONS")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"

Workspaces = Callable[[Key], Workspace | None]


class Notes(Protocol):
    """Takes what is done in workspaces: `athanor.gateway.activity.Activities`."""

    def note(self, uid: str, kind: str = "web") -> None:
        """Somebody does something in a workspace now."""


class Refused(Exception):
    """A request that is not passed on: status and what to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Proxy:
    """The gateway's answers. `find` looks a Workspace up, `url` is how browsers reach us."""

    def __init__(
        self, client: Client, forward: PortForward, clock: Clock, secret: str, find: Workspaces,
        folder: Path,
    ) -> None:  # fmt: skip
        self._client = client
        self._forward = forward
        self._clock = clock
        self._secret = secret
        self._find = find
        self._folder = folder
        self._tunnels: dict[str, Tunnel] = {}
        self.url = ""
        self.notes: Notes | None = None

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            match exchange.path.split("/")[1:]:
                case ["healthz"]:
                    await exchange.respond(200, b"ok", "text/plain", {})
                case ["connect", namespace, name]:
                    await self._connect(exchange, Key(namespace, name))
                case ["workspaces", namespace, name, *_]:
                    await self._enter(exchange, Key(namespace, name))
                case _:
                    raise Refused(404, "there is nothing here; athanor workspace list")
        except Refused as refused:
            await exchange.respond(refused.status, f"{refused}\n".encode(), "text/plain", {})
        except ApiError as problem:
            await exchange.respond(problem.code, f"{problem.message}\n".encode(), "text/plain", {})

    def road(self, workspace: Workspace) -> Onward | None:
        """How a workspace's program is reached; None before anybody was there."""
        tunnel = self._tunnels.get(workspace.metadata.uid)
        return tunnel.onward if tunnel is not None else None

    async def close(self) -> None:
        """End all connections."""
        for tunnel in self._tunnels.values():
            await tunnel.close()
        await self._forward.close()

    async def _connect(self, exchange: Exchange, key: Key) -> None:
        """A link for somebody who may update the Workspace."""
        if exchange.method != "POST":
            raise Refused(405, "POST it")
        user, groups = await self._who(exchange)
        await self._allowed(user, groups, key)
        uid = self._running(key).metadata.uid
        expires = int(self._clock.now()) + tickets.TICKET_SECONDS
        ticket = Ticket(
            user=user, namespace=key.namespace, name=key.name, uid=uid, expires=expires, use="link"
        )
        query = urlencode({"ticket": tickets.sign(ticket, self._secret)})
        answer = {"url": f"{self.url}{reach.path(*key)}?{query}"}
        await exchange.respond(200, msgspec.json.encode(answer), "application/json", {})

    async def _who(self, exchange: Exchange) -> tuple[str, list[str]]:
        """Who asks: by certificate, or by a token that the API server knows."""
        if exchange.peer is not None:
            return exchange.peer.name, [*exchange.peer.organizations, "system:authenticated"]
        kind, _, token = exchange.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Refused(401, "say who you are: a client certificate or a token of the cluster")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        said = await self._client(
            calls.raw("POST", TOKENS, body={**body, "spec": {"token": token}})
        )
        status = said.get("status") or {}
        if not status.get("authenticated"):
            raise Refused(401, "the token is not known to the cluster")
        user: JSON = status.get("user") or {}
        return user.get("username", ""), list(user.get("groups") or [])

    async def _allowed(self, user: str, groups: list[str], key: Key) -> None:
        asked = {
            "verb": "update", "group": "athanor.dev", "resource": "workspaces",
            "namespace": key.namespace, "name": key.name,
        }  # fmt: skip
        body = {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": asked},
        }  # fmt: skip
        said = await self._client(calls.raw("POST", REVIEWS, body=body))
        if not (said.get("status") or {}).get("allowed"):
            raise Refused(403, f"{user} may not update workspace {key.name} in {key.namespace}")

    def _running(self, key: Key) -> Workspace:
        found = self._find(key)
        if found is None:
            raise Refused(404, f"there is no workspace {key.name} in {key.namespace}")
        if found.status.phase not in ("Running", "Idle"):
            said = f": {found.status.message}" if found.status.message else ""
            raise Refused(
                409, f"workspace {key.name} is {found.status.phase}{said}; "
                f"athanor workspace start {key.name}",
            )  # fmt: skip
        return found

    async def _enter(self, exchange: Exchange, key: Key) -> None:
        """A request below a workspace's path."""
        link = dict(exchange.query).get("ticket", "")
        if link and exchange.method == "GET":
            await self._welcome(exchange, key, link)
            return
        held = cookies(exchange.headers.get("cookie", ""))
        ticket = tickets.read(held.pop(COOKIE, ""), self._secret, "session", self._clock.now())
        if ticket is None or (ticket.namespace, ticket.name) != key:
            raise Refused(401, f"open it with: athanor workspace open {key.name}")
        workspace = self._running(key)
        uid = workspace.metadata.uid
        if ticket.uid != uid:
            raise Refused(401, f"this is another one: athanor workspace open {key.name}")
        if self.notes is not None and (exchange.method not in QUIET or exchange.upgrade):
            self.notes.note(uid)
        tunnel = await self._tunnel(workspace)
        exchange.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in held.items())
        body = await _body(exchange)
        query = f"?{urlencode(exchange.query)}" if exchange.query else ""
        passed = {
            "Authorization": f"token {reach.token(self._secret, uid)}",
            "X-Forwarded-Host": exchange.headers.get("host", ""), "X-Forwarded-Proto": "https",
        }  # fmt: skip
        try:
            await exchange.forward(
                tunnel.onward, f"http://localhost{exchange.path}{query}", body, passed
            )
        except TooLarge as large:
            raise Refused(413, str(large)) from None
        except Unreachable:
            raise Refused(
                502, f"workspace {key.name} does not answer yet; athanor logs {key.name}"
            ) from None

    async def _welcome(self, exchange: Exchange, key: Key, link: str) -> None:
        """A link becomes a cookie for the workspace's path."""
        now = self._clock.now()
        ticket = tickets.read(link, self._secret, "link", now)
        if ticket is None or (ticket.namespace, ticket.name) != key:
            raise Refused(401, f"the link is out of date: athanor workspace open {key.name}")
        expires = int(now) + tickets.SESSION_SECONDS
        session = msgspec.structs.replace(ticket, expires=expires, use="session")
        path = reach.path(*key)
        value = tickets.sign(session, self._secret)
        cookie = f"{COOKIE}={value}; Path={path}; HttpOnly; Secure; SameSite=Lax"
        rest = [(name, value) for name, value in exchange.query if name != "ticket"]
        where = exchange.path + (f"?{urlencode(rest)}" if rest else "")
        await exchange.respond(302, b"", "text/plain", {"Location": where, "Set-Cookie": cookie})

    async def _tunnel(self, workspace: Workspace) -> Tunnel:
        meta = workspace.metadata
        found = self._tunnels.get(meta.uid)
        if found is None:
            where = (meta.namespace, reach.pod(meta.name), reach.port(meta.uid))
            file = self._folder / f"{meta.uid[:13]}.sock"

            def sent() -> None:
                if self.notes is not None and workspace.spec.app != "jupyter":
                    self.notes.note(meta.uid)

            found = self._tunnels[meta.uid] = Tunnel(self._forward, where, file, sent)
            await found.open()
        return found

    async def ready(self, workspaces: Mapping[str, Workspace]) -> None:
        """Roads to all workspaces that run, and to no others."""
        for uid in self._tunnels.keys() - workspaces.keys():
            await self._tunnels.pop(uid).close()
        for workspace in workspaces.values():
            await self._tunnel(workspace)


async def _body(exchange: Exchange) -> Body:
    """A short body as a whole, so that it can be sent a second time; a long one in pieces."""
    if exchange.upgrade:
        return b""
    if exchange.length is None or exchange.length > HELD:
        return exchange.pieces(LARGEST)
    return await exchange.body(HELD)


def cookies(header: str) -> dict[str, str]:
    """The cookies of a request by name."""
    pairs = (part.strip().partition("=") for part in header.split(";") if "=" in part)
    return {name: value for name, _, value in pairs}
