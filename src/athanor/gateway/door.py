"""`gateway.athanor.dev`: what the API server passes on to the gateway, once RBAC allowed it.

The API server is the only one let in. It has checked that the caller may do this to that path; two
things more are asked here: a pod's own account reads bundles of its own namespace only, so that one
right for all accounts is enough; and logs are those of this namespace, not of one before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

import msgspec

from athanor.api import gateway
from athanor.api.gateway import DIGEST, NAME, PART, RESOURCES, UID
from athanor.api.meta import to_manifest
from athanor.gateway.archive import Archive
from athanor.gateway.bundles import Bundles
from athanor.gateway.reports import Reports
from athanor.gateway.spaces import Spaces
from athanor.kit.clock import Clock
from athanor.kit.exchange import Exchange, Peer, TooLarge
from athanor.wire.status import ApiError

ACCOUNT = "system:serviceaccount:"
_TEXT = "text/plain; charset=utf-8"
_DIGITS = 15  # of an offset: a number of any length would take any time to read


class Door:
    """Answers requests for the group. `front` tells whether a peer is the API server."""

    def __init__(
        self, archive: Archive, bundles: Bundles, reports: Reports, spaces: Spaces, clock: Clock,
        front: Callable[[Peer], bool],
    ) -> None:  # fmt: skip
        self._archive = archive
        self._bundles = bundles
        self._reports = reports
        self._spaces = spaces
        self._clock = clock
        self._front = front

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            if exchange.peer is None or not self._front(exchange.peer):
                raise ApiError("Unauthorized", "this is reached through the API server")
            await self._answer(exchange)
        except TooLarge as large:
            await _fail(exchange, ApiError("RequestEntityTooLarge", str(large)))
        except OSError as error:
            await _fail(exchange, ApiError("InternalError", f"storage: {error.strerror or error}"))
        except ApiError as problem:
            await _fail(exchange, problem)

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.path.rstrip("/")
        if path == gateway.ROOT:
            await _json(exchange, RESOURCES)
            return
        match path.removeprefix(f"{gateway.ROOT}/namespaces/").split("/"):
            case [namespace, "podlogs", *rest] if NAME.fullmatch(namespace):
                _only(exchange, "GET")
                await self._podlogs(exchange, namespace, rest)
            case [namespace, "bundles", digest, *rest] if NAME.fullmatch(namespace):
                if not DIGEST.fullmatch(digest):
                    raise ApiError("BadRequest", f"bundle {digest!r}: 64 hexadecimal digits")
                await self._bundle(exchange, namespace, digest, rest)
            case [namespace, "podreports", pod] if all(map(NAME.fullmatch, (namespace, pod))):
                _only(exchange, "PUT")
                await _json(exchange, await self._reports.take(exchange, namespace, pod))
            case _:
                _nothing()

    async def _podlogs(self, exchange: Exchange, namespace: str, rest: list[str]) -> None:
        query, uid = dict(exchange.query), rest[0] if rest else ""
        if uid and not UID.fullmatch(uid):
            raise ApiError("BadRequest", f"podlog {uid!r}: it is called as the pod's uid")
        since = await self._spaces.since(namespace)
        match rest[1:]:
            case [] if not uid:
                wanted = query.get("labelSelector", "")
                found = await asyncio.to_thread(self._archive.those, namespace, wanted, since)
                await _json(exchange, {"metadata": {}, "items": [], **to_manifest(found)})
            case []:
                one, _ = await asyncio.to_thread(self._archive.find, namespace, uid, since)
                await _json(exchange, one)
            case ["log"]:
                chunks = await asyncio.to_thread(
                    self._archive.text, namespace, uid, since, query, self._clock.now()
                )
                await exchange.stream(200, chunks, _TEXT, {})
            case _:
                _nothing()

    async def _bundle(
        self, exchange: Exchange, namespace: str, digest: str, rest: list[str]
    ) -> None:
        query = dict(exchange.query)
        if not rest and exchange.method == "PUT":
            data = await exchange.body(PART)
            offset, last = _number(query.get("offset", "0")), query.get("last") == "true"
            added = await asyncio.to_thread(
                self._bundles.add, namespace, digest, offset, data, last
            )
            return await _json(exchange, added)
        _only(exchange, "GET")
        if not rest:
            return await _json(exchange, self._bundles.state(namespace, digest))
        if rest != ["content"]:
            _nothing()
        user = exchange.headers.get("x-remote-user", "")
        if user.startswith(ACCOUNT) and not user.startswith(f"{ACCOUNT}{namespace}:"):
            raise ApiError("Forbidden", f"{user} reads the code of its own namespace only")
        chunks = self._bundles.open(namespace, digest)
        return await exchange.stream(200, chunks, "application/gzip", {})


def _only(exchange: Exchange, method: str) -> None:
    if exchange.method != method:
        raise ApiError("MethodNotAllowed", f"{exchange.method} is not answered here")


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _DIGITS:
        raise ApiError("BadRequest", f"offset {text!r} is no number of bytes")
    return int(text)


def _nothing() -> NoReturn:
    raise ApiError("NotFound", "the server could not find the requested resource")


async def _json(exchange: Exchange, value: object) -> None:
    await exchange.respond(200, msgspec.json.encode(value), "application/json", {})


async def _fail(exchange: Exchange, problem: ApiError) -> None:
    answer = problem.response()
    await exchange.respond(answer.status, answer.body, answer.content_type, dict(answer.headers))
