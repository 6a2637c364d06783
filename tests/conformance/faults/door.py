"""A door between controllers and an API server, which can be jammed in the ways that networks can.

Plain HTTP outside, the real server's TLS inside. What is open when the door jams is jammed too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Literal

import aiohttp
from aiohttp import web

from athanor.client.target import Target, context

Jam = Literal["", "shut", "deaf", "mute", "busy", "expired"]
"""Nothing; every connection cut; requests are lost; answers are lost; 429; watches and pages 410.
"""
_GONE = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired",
    "message": "too old resource version", "code": 410,
}  # fmt: skip
_BUSY = {**_GONE, "reason": "TooManyRequests", "message": "come back later", "code": 429}
_HOP = frozenset({"transfer-encoding", "content-length", "connection", "host", "keep-alive"})


class Door:
    """One door. `passed` is told of every request that goes through, after its answer is there."""

    def __init__(self, target: Target, dice: random.Random) -> None:
        self.jam: Jam = ""
        self.passed: Callable[[str, str], None] = lambda method, path: None
        self._target = target
        self._dice = dice
        self._changed = asyncio.Event()
        self._runner = web.AppRunner(_app(self._answer), access_log=None, shutdown_timeout=0.1)
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        connector = aiohttp.TCPConnector(ssl=context(self._target) or False, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False,
        )  # fmt: skip
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Cut everything."""
        self.set("shut")
        await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def set(self, jam: Jam) -> None:
        """Jam it, or free it."""
        self.jam = jam
        self._changed.set()
        self._changed = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        watches = "watch" in request.query
        if self.jam == "deaf":
            await self._changed.wait()
            return _cut(request)
        if self.jam == "shut":
            return _cut(request)
        if self.jam == "busy" and self._dice.random() < 0.8:
            return web.json_response(_BUSY, status=429, headers={"Retry-After": "1"})
        if self.jam == "expired" and (watches or "continue" in request.query):
            return web.json_response(_GONE, status=410)
        return await self._forward(request, watches)

    async def _forward(self, request: web.Request, watches: bool) -> web.StreamResponse:
        assert self._session is not None
        headers = {n: v for n, v in request.headers.items() if n.lower() not in _HOP}
        url = f"{self._target.server}{request.raw_path}"
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=await request.read() or None
            ) as answer:
                if not watches:
                    body = await answer.read()
                    self.passed(request.method, request.path)
                    if self.jam in ("mute", "deaf"):
                        await self._changed.wait()
                    if self.jam == "shut":
                        return _cut(request)
                    return web.Response(body=body, status=answer.status, headers=_kept(answer))
                return await self._follow(request, answer)
        except (aiohttp.ClientError, OSError):
            return _cut(request)

    async def _follow(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=answer.status, headers=_kept(answer))
        await stream.prepare(request)
        chunks = answer.content.iter_any()
        following = asyncio.ensure_future(anext(chunks, None))
        try:
            while True:
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait((following, changed), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if self.jam in ("shut", "expired"):
                    break
                if self.jam in ("mute", "deaf"):
                    await self._changed.wait()
                    break  # what was sent meanwhile is lost
                if following.done():
                    chunk = following.result()
                    if chunk is None:
                        break
                    await stream.write(chunk)
                    following = asyncio.ensure_future(anext(chunks, None))
        finally:
            following.cancel()
            if answer.connection is not None and answer.connection.transport is not None:
                answer.connection.transport.abort()  # TLS could not take leave of what is not read
        return _cut(request)


def _app(answer: Callable[[web.Request], object]) -> web.Application:
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", answer)  # type: ignore[arg-type]
    return app


def _kept(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n.lower() not in _HOP}


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
