"""What servers show never runs out while they serve, whoever signed it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from athanor.api.registry import by_kind
from athanor.assembly.aggregated import GATEWAY, HOME, announce
from athanor.kit.clock import Clock
from athanor.local import minting
from athanor.local.agent.kubelet.serving import Serving
from athanor.local.agent.node import Joined, Settings
from athanor.local.shown import EVERY, Shown
from athanor.local.validity import LIFE, RENEW
from athanor.testing import lab
from athanor.testing.virtual import run
from athanor.wire import calls
from athanor.wire.status import ApiError

DAY = 86_400.0


def shown_by(tls: ssl.SSLContext) -> tuple[float, float, list[str]]:
    """The facts of the certificate that a client sees now."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    mine, theirs = client.wrap_bio(one, other), tls.wrap_bio(other, one, server_side=True)
    for side in (mine, theirs, mine):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found = mine.getpeercert(binary_form=True)
    assert found is not None
    return minting.facts(ssl.DER_cert_to_PEM_cert(found).encode())


def days_left(tls: ssl.SSLContext, clock: Clock) -> float:
    return (shown_by(tls)[1] - clock.now()) / DAY


def test_a_server_started_with_a_month_left_shows_a_new_certificate_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            Shown(tmp_path, world.clock, hosts=["a.b.svc"], name="door")
            await asyncio.sleep(LIFE - RENEW - DAY)
            # made again at a start, it is the old one still: more than thirty days are left
            shown = Shown(tmp_path, world.clock, hosts=["a.b.svc"], name="door")
            assert days_left(shown.tls, world.clock) == pytest.approx(31, abs=0.1)
            told: list[bytes] = []

            async def tell(authority: bytes) -> None:
                told.append(authority)
                await announce(world.client, GATEWAY, HOME, 8443, authority)

            renewing = asyncio.ensure_future(shown.run(tell))
            for _ in range(40):
                await asyncio.sleep(10 * DAY)
                assert days_left(shown.tls, world.clock) >= 29
            assert "a.b.svc" in shown_by(shown.tls)[2]
            resource = by_kind("apiregistration.k8s.io/v1", "APIService")
            assert resource is not None and set(told) == {shown.authority}
            # an APIService that somebody took away is there again with the next look
            await world.client(calls.delete(resource, GATEWAY.service))
            await asyncio.sleep(EVERY + 1)
            found = await world.client(calls.raw("GET", resource.path(None, GATEWAY.service)))
            assert found["spec"]["caBundle"]
            renewing.cancel()

    run(main)


def node(world: lab.Lab, folder: Path, joined: Joined | None) -> Any:
    settings = Settings(name="n", data=folder, joined=joined)
    return SimpleNamespace(settings=settings, client=world.client, clock=world.clock)


def test_a_node_at_home_renews_its_own(tmp_path: Path) -> None:
    async def main() -> None:
        async with lab.server() as world:
            serving = Serving(node(world, tmp_path, None))
            renewing = asyncio.ensure_future(serving.run())
            for _ in range(40):
                await asyncio.sleep(10 * DAY)
                assert days_left(serving.tls, world.clock) >= 29
            renewing.cancel()

    run(main)


def test_a_node_of_a_cluster_falls_back_to_its_own_only_when_the_clusters_has_ended(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with lab.server() as world:
            cluster = minting.authority("cluster", world.clock.now(), LIFE)
            (tmp_path / "front.crt").write_bytes(cluster.certificate)
            joined = Joined(client_ca=str(tmp_path / "front.crt"))
            serving = Serving(node(world, tmp_path, joined))
            wanted = minting.Wanted(
                name="system:node:n", groups=(), hosts=("127.0.0.1", "mine"), server=True,
                life=LIFE,
            )  # fmt: skip
            issued = minting.certificate(cluster, wanted, world.clock.now())
            (tmp_path / "pki" / "serving.crt").write_bytes(issued.certificate)
            (tmp_path / "pki" / "serving.key").write_bytes(issued.key)
            end = minting.facts(issued.certificate)[1]
            assert await serving.look() > 0 and "mine" in shown_by(serving.tls)[2]
            # nobody here issues the next one: that is told, and the old one shown while it holds
            await asyncio.sleep(end - DAY / 2 - world.clock.now())
            with pytest.raises(ApiError):
                await serving.look()
            assert "mine" in shown_by(serving.tls)[2]
            await asyncio.sleep(LIFE)
            with pytest.raises(ApiError):
                await serving.look()
            assert "mine" not in shown_by(serving.tls)[2]
            assert days_left(serving.tls, world.clock) > 300

    run(main)
