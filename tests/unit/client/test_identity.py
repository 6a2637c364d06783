"""A process that runs for longer than its certificate holds goes on with the next one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from athanor.client import identity, kubeconfig
from athanor.client.http import Http
from athanor.client.sync import SyncHttp
from athanor.client.target import Target
from athanor.kit.clock import SystemClock
from athanor.kit.exchange import Exchange
from athanor.kit.http import Onward, Unreachable
from athanor.local.pki import Credential, Pki
from athanor.local.validity import LIFE
from athanor.wire.request import Request
from athanor.wire.status import ApiError
from tests.unit.kit.serving import World

DAY = 86_400.0
ASKED = Request(method="GET", path="/")


async def _who(exchange: Exchange) -> None:
    name = exchange.peer.name if exchange.peer else "nobody"
    await exchange.respond(200, name.encode(), "text/plain", {})


def _write(file: Path, server: str, world: World, shown: Credential) -> None:
    target = Target(
        server=server, ca=world.pki.authority.read_text(),
        certificate=shown.certificate.read_text(), key=shown.key.read_text(),
    )  # fmt: skip
    file.write_text(json.dumps(kubeconfig.document("there", target)))


def _ended(world: World) -> Credential:
    """A certificate of the same authority that ended yesterday."""
    then = SystemClock().now() - LIFE - DAY
    return Pki(world.pki.directory, then).client("ended")


@asynccontextmanager
async def keeping(file: Path, way: identity.Shows) -> AsyncIterator[None]:
    task = asyncio.ensure_future(identity.keep(kubeconfig.reader([file]), way, every=0.01))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()


def test_connections_that_come_show_what_the_file_says_by_then(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"

    async def main() -> None:
        async with world.serving(_who) as port:
            server = f"https://127.0.0.1:{port}"
            _write(file, server, world, _ended(world))
            transport = Http(kubeconfig.reader([file])())
            sync = partial(asyncio.to_thread, SyncHttp(kubeconfig.reader([file])()).send, ASKED)
            async with keeping(file, transport):
                day = datetime.fromtimestamp(SystemClock().now() - DAY, UTC).date()
                told = f"the client certificate ends on {day}"
                for ask in (partial(transport.send, ASKED), partial(transport.stream, ASKED), sync):
                    with pytest.raises(ApiError, match=told):
                        await ask()
                file.write_text("{")  # somebody writes it just now
                await asyncio.sleep(0.05)
                _write(file, server, world, world.me)
                while True:
                    try:
                        assert (await transport.send(ASKED)).body == b"me"
                        break
                    except ApiError:
                        await asyncio.sleep(0.02)
                stream = await transport.stream(ASKED)
                assert b"".join([chunk async for chunk in stream.chunks]) == b"me"
            await transport.close()

    asyncio.run(main())


def test_requests_are_passed_on_with_the_certificate_that_is_there_by_then(world: World) -> None:
    async def main() -> None:
        old = _ended(world)
        onward = Onward(world.pki.authority.read_text(), str(old.certificate), str(old.key))
        async with world.serving(_who) as beyond:
            told: list[str] = []

            async def near(exchange: Exchange) -> None:
                try:
                    await exchange.forward(onward, f"https://127.0.0.1:{beyond}/", b"", {})
                except Unreachable as error:
                    told.append(str(error))
                    await exchange.respond(503, b"", "text/plain", {})

            async with world.serving(near) as port:
                transport = Http(world.target(port))
                assert (await transport.send(ASKED)).status == 503 and told
                world.pki.client("ended")
                onward.renew()
                assert (await transport.send(ASKED)).body == b"ended"
                await transport.close()
        await onward.close()

    asyncio.run(main())
