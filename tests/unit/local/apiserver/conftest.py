"""An API server over a store in memory, asked with whole requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Answer, Request, Response, Stream

MERGE = "application/merge-patch+json"


class Api:
    """Short words for requests: `await api.post("/api/v1/namespaces", {...})`."""

    def __init__(self, server: ApiServer, clock: FixedClock) -> None:
        self.server = server
        self.clock = clock

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The answer itself."""
        path, _, query = path.partition("?")
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        raw = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            raw = msgspec.json.encode(body)
        return await self.server.handle(
            Request(
                method=method, path=path, query=parse_qsl(query, keep_blank_values=True),
                headers={"content-type": "application/json", **names}, body=raw,
            )
        )  # fmt: skip

    async def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The decoded body of the answer."""
        answer = await self.ask(method, path, body, **headers)
        assert isinstance(answer, Response), answer
        return msgspec.json.decode(answer.body)

    async def get(self, path: str) -> Any:
        """GET."""
        return await self.json("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        """POST."""
        return await self.json("POST", path, body)

    async def put(self, path: str, body: Any) -> Any:
        """PUT."""
        return await self.json("PUT", path, body)

    async def merge(self, path: str, body: Any) -> Any:
        """A merge patch."""
        return await self.json("PATCH", path, body, content_type=MERGE)

    async def delete(self, path: str, body: Any = None) -> Any:
        """DELETE."""
        return await self.json("DELETE", path, body)

    async def watch(self, path: str) -> list[Any]:
        """The frames of a watch that ends by itself."""
        answer = await self.ask("GET", path)
        assert isinstance(answer, Stream), answer
        text = b"".join([chunk async for chunk in answer.chunks])
        return [msgspec.json.decode(line) for line in text.splitlines()]

    async def settle(self) -> None:
        """Let what happens by itself happen."""
        await self.server.house.work.settle(hurry=("namespace", "quota", "quotas", "service"))

    async def pod(self, name: str, **meta: Any) -> Any:
        """A pod on node n1 in namespace default."""
        spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "host"}]}
        body = {"metadata": {"name": name, **meta}, "spec": spec}
        return await self.post("/api/v1/namespaces/default/pods", body)

    async def config(self, name: str, **meta: Any) -> Any:
        """A ConfigMap in namespace default."""
        body = {"metadata": {"name": name, **meta}, "data": {"a": "1"}}
        return await self.post("/api/v1/namespaces/default/configmaps", body)


Story = Callable[[Api], Awaitable[None]]


@pytest.fixture
def play() -> Callable[[Story], None]:
    """Runs a story against a fresh server that has the namespace default."""

    def run(story: Story) -> None:
        async def main() -> None:
            clock = FixedClock()
            server = ApiServer(Store.open(":memory:"), clock=clock, ids=SeededIds(1))
            api = Api(server, clock)
            await api.post("/api/v1/namespaces", {"metadata": {"name": "default"}})
            try:
                await story(api)
            finally:
                await server.close()
                await server.core.store.close()

        asyncio.run(main())

    return run
