"""A request to the gateway, and what was answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from athanor.client.inproc import Handle
from athanor.kit.exchange import Exchange, Peer, TooLarge
from athanor.wire.request import Request, Response


class Asked(Exchange):
    """Keeps the answer; `peer` is who the other side's certificate says it is."""

    def __init__(
        self, method: str, target: str, headers: dict[str, str] | None = None, data: bytes = b"",
        who: str = "",
    ) -> None:  # fmt: skip
        super().__init__(method, target, headers or {}, None)
        self.status, self.said, self.told = 0, b"", dict[str, str]()
        self._data = data
        self._who = who

    @property
    def peer(self) -> Peer | None:
        return Peer(self._who, ()) if self._who else None

    async def body(self, limit: int) -> bytes:
        if len(self._data) > limit:
            raise TooLarge(f"limit is {limit}")
        return self._data

    async def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status, self.said, self.told = status, body, headers

    async def stream(
        self, status: int, chunks: AsyncIterator[bytes], content_type: str,
        headers: Mapping[str, str],
    ) -> None:  # fmt: skip
        said = b"".join([chunk async for chunk in chunks])
        await self.reply(status, said, {"Content-Type": content_type, **headers})


def behind(serve: Callable[[Exchange], Awaitable[None]], front: str) -> Handle:
    """A handler for `InProcess`: requests as the API server passes them on."""

    async def handle(request: Request) -> Response:
        query = "&".join(f"{name}={value}" for name, value in request.query)
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, f"{request.path}?{query}", headers, request.body, front)
        await serve(asked)
        return Response(status=asked.status, body=asked.said)

    return handle
