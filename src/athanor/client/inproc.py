"""Carries requests to an API server's `handle` in this process, without sockets or copies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

import msgspec

from athanor.wire.request import Answer, Forward, Request, Response, Stream, User
from athanor.wire.status import ApiError, from_response

Handle = Callable[[Request], Awaitable[Answer]]


class InProcess:
    """A Transport. `user` is who we are, as a client certificate would say.

    `backends` answer for those a server forwards to (a node's agent, an aggregated API), by the
    host and port of their address.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        user: User | None = None,
        headers: Mapping[str, str] | None = None,
        backends: Mapping[str, Handle] | None = None,
    ) -> None:
        self._handle = handle
        self._user = user
        self._headers = dict(headers or {})
        self._backends = backends or {}

    async def send(self, request: Request) -> Response:
        """The whole answer; a stream is read to its end."""
        answer = await self._answer(request)
        if isinstance(answer, Response):
            return answer
        parts = [chunk async for chunk in answer.chunks]
        return Response(
            status=answer.status,
            body=b"".join(parts),
            content_type=answer.content_type,
            headers=answer.headers,
        )

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks. Raises ApiError when the server refuses."""
        answer = await self._answer(request)
        if isinstance(answer, Stream):
            return answer
        if answer.status >= 400:
            raise from_response(answer.status, answer.body)
        return Stream(
            chunks=_once(answer.body),
            status=answer.status,
            content_type=answer.content_type,
            headers=answer.headers,
        )

    async def close(self) -> None:
        """Nothing is held."""

    async def _answer(self, request: Request) -> Response | Stream:
        headers = {**self._headers, **request.headers} if self._headers else request.headers
        asked = msgspec.structs.replace(
            request, peer=request.peer or self._user, headers=headers, remote="127.0.0.1"
        )
        try:
            answer = await self._handle(asked)
            if isinstance(answer, Forward):
                answer = await self._forward(asked, answer)
        except ApiError as error:
            return error.response()
        if isinstance(answer, Forward):
            raise ApiError("InternalError", f"{answer.url} was forwarded to twice")
        return answer

    async def _forward(self, request: Request, forward: Forward) -> Answer:
        address = urlsplit(forward.url)
        backend = self._backends.get(address.netloc)
        if backend is None:
            raise ApiError("ServiceUnavailable", f"nobody answers at {address.netloc}")
        return await backend(
            Request(
                method=request.method,
                path=address.path,
                query=parse_qsl(address.query, keep_blank_values=True),
                headers={**request.headers, **forward.headers},
                body=request.body,
                remote=request.remote,
            )
        )


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
