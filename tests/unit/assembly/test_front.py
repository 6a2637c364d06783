"""Who is let in as a cluster's API server, also when the authority that signs it is another now."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import pytest

from athanor.api.core import ConfigMap
from athanor.assembly.front import TRUST, Known, front
from athanor.kit.clock import SystemClock
from athanor.kit.exchange import Exchange
from athanor.kit.http import HttpServer
from athanor.local.pki import Pki
from athanor.local.shown import Shown
from athanor.testing import lab


async def asked(port: int, shown: Shown, pki: Pki, name: str) -> int:
    """The status of an answer to whom an authority calls so."""
    me = pki.client(name, ())
    settings = ssl.create_default_context(cadata=shown.authority.decode())
    settings.load_cert_chain(me.certificate, me.key)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://127.0.0.1:{port}/", ssl=settings) as answer,
    ):
        return answer.status


def test_an_authority_that_changes_is_known_without_a_restart(tmp_path: Path) -> None:
    old, new = (Pki(tmp_path / name, SystemClock().now()) for name in ("old", "new"))

    async def main() -> None:
        async with lab.server(SystemClock()) as bed:
            namespace, name = TRUST

            def said(pki: Pki, called: str) -> dict[str, str]:
                return {
                    "requestheader-client-ca-file": pki.authority.read_text(),
                    "requestheader-allowed-names": json.dumps([called]),
                }

            data = said(old, "front")
            await bed.create(
                {"metadata": {"name": name, "namespace": namespace}, "data": data}, ConfigMap
            )
            first = await front(bed.client)
            (tmp_path / "front.crt").write_text(first.authority)
            shown = Shown(tmp_path / "mine", SystemClock(), trusts=str(tmp_path / "front.crt"))
            known = Known(bed.client, first)

            async def answer(exchange: Exchange) -> None:
                may = exchange.peer is not None and known.knows(exchange.peer)
                await exchange.respond(200 if may else 401, b"", "text/plain", {})

            server = HttpServer(answer)
            port = await server.start("127.0.0.1", 0, shown.tls)
            assert await asked(port, shown, old, "front") == 200
            assert await asked(port, shown, old, "another") == 401
            with pytest.raises(aiohttp.ClientError):
                await asked(port, shown, new, "next")
            await bed.patch(ConfigMap, name, {"data": said(new, "next")}, namespace=namespace)
            await known.look(shown.tls)
            assert await asked(port, shown, new, "next") == 200
            assert await asked(port, shown, new, "front") == 401
            await server.close()

    asyncio.run(main())
