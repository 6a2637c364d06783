"""Handlers of probes and hooks, carried out: exec, httpGet, tcpSocket, sleep."""

from __future__ import annotations

import asyncio
import ssl

from athanor.api.meta import JSON
from athanor.local.agent.node import Node
from athanor.local.agent.plan import probes
from athanor.local.agent.supervised import Refused

_ANSWER_LIMIT = 10 * 1024


class Target:
    """One run of a container, as checks reach it."""

    def __init__(self, node: Node, pod: str, container: JSON, key: str, address: str) -> None:
        self._node = node
        self._pod = pod
        self._container = container
        self._key = key
        self._address = address or "127.0.0.1"

    async def check(self, handler: JSON, seconds: float) -> tuple[bool, str]:
        """Whether it succeeded, and what it said."""
        try:
            async with asyncio.timeout(seconds):
                return await self._one(handler, seconds)
        except TimeoutError:
            return False, f"no answer within {seconds:g}s"
        except (OSError, Refused, ValueError) as error:
            return False, str(error)

    async def _one(self, handler: JSON, seconds: float) -> tuple[bool, str]:
        if command := handler.get("exec"):
            argv = command.get("command") or []
            code, said = await self._node.executor.output(self._key, argv, seconds)
            return code == 0, said.decode(errors="replace")
        if tcp := handler.get("tcpSocket"):
            port = probes.port_of(self._container, tcp["port"])
            _, writer = await self._node.dial(self._pod, tcp.get("host") or self._address, port)
            writer.close()
            return True, ""
        if get := handler.get("httpGet"):
            return await self._get(get)
        if sleep := handler.get("sleep"):
            await asyncio.sleep(float(sleep["seconds"]))
            return True, ""
        raise ValueError("this node has no such handler")

    async def _get(self, get: JSON) -> tuple[bool, str]:
        port = probes.port_of(self._container, get["port"])
        host = get.get("host") or self._address
        secure = get.get("scheme") == "HTTPS"
        reader, writer = await self._node.dial(self._pod, host, port)
        if secure:
            settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            settings.check_hostname = False
            settings.verify_mode = ssl.CERT_NONE  # as kubelets do: the pod's own certificate
            await writer.start_tls(settings)
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*"}
        headers |= {h["name"]: h.get("value", "") for h in get.get("httpHeaders") or []}
        lines = [f"GET {get.get('path') or '/'} HTTP/1.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await writer.drain()
            said = await reader.read(_ANSWER_LIMIT)
        finally:
            writer.close()
        first = said.split(b"\r\n", 1)[0].split()
        code = int(first[1]) if len(first) > 1 else 0
        return 200 <= code < 400, f"HTTP probe failed with statuscode: {code}"
