"""Connections to a pod's own loopback, through the API server (v4.channel.k8s.io over WebSocket).

The road that `kubectl port-forward` takes: it leads to pods whose network nobody else can enter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp
from yarl import URL

from athanor.client.target import Target, context, identify

PROTOCOL = "v4.channel.k8s.io"
_CHUNK = 1 << 16
_HEADS = 2
"""The first message of each channel (data, error) repeats the port."""


class PortForward:
    """Opens connections to pods of one cluster, as one identity."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls = context(target)
        self._session: aiohttp.ClientSession | None = None

    async def pipe(
        self, namespace: str, pod: str, port: int,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: Callable[[], None],
    ) -> None:  # fmt: skip
        """Join a connection with one to a pod's port until either ends; `sent` is called for bytes
        towards the pod. Raises OSError when the pod cannot be reached.
        """
        reader, writer = near
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"
        bearer = self._target.bearer()
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            socket = await self._pool().ws_connect(
                URL(self._target.server + path, encoded=True), protocols=(PROTOCOL,),
                headers=headers, ssl=self._tls or True, max_msg_size=0, autoping=True,
            )  # fmt: skip
        except (TimeoutError, aiohttp.ClientError) as error:
            raise OSError(f"pod {namespace}/{pod} cannot be reached: {error}") from error
        async with socket:
            outward = asyncio.ensure_future(_outward(reader, socket, sent))
            try:
                await _inward(socket, writer)
            finally:
                outward.cancel()
                await asyncio.gather(outward, return_exceptions=True)

    def show(self, target: Target) -> None:
        """Make new connections with the certificate of `target`. Raises ApiError."""
        if self._tls is not None and target.certificate:
            identify(self._tls, target)

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            )
        return self._session


async def _outward(
    reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse, sent: Callable[[], None]
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            sent()
            await socket.send_bytes(b"\0" + data)
    await socket.close()


async def _inward(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    heads = 0
    with contextlib.suppress(ConnectionError):
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            if heads < _HEADS:
                heads += 1
            elif message.data[:1] == b"\0":
                writer.write(message.data[1:])
                await writer.drain()
            else:
                return  # the error channel: nobody listens there
