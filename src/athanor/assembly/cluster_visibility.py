"""`visibility.athanor.dev` on a cluster: answered by whichever replica leads, while it leads.

The Service has no selector: the leader writes its own address into the EndpointSlice, and its
authority into the APIService, which it takes away when it stops. A cluster whose API server passes
nothing on works without: then only what stands in statuses is known.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import tempfile
from pathlib import Path

from msgspec import Struct

from athanor.api.core import Service
from athanor.api.meta import JSON
from athanor.api.registry import by_kind
from athanor.assembly.aggregated import REMIND, VISIBILITY, announce, withdraw
from athanor.assembly.front import Known, front
from athanor.assembly.visibility import Door
from athanor.client.protocol import Client
from athanor.features.scheduling.plan import Planner
from athanor.kit.clock import Clock
from athanor.kit.http import HttpServer
from athanor.local.shown import Shown
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

AGAIN = 30.0
"""Seconds until what failed is tried again."""


class Place(Struct, frozen=True, kw_only=True):
    """Where it is answered: host:port to listen on, the pod's address ("": whoever made the Service
    says where it leads), the Service's namespace and port.
    """

    listen: str
    address: str
    namespace: str
    port: int


async def serve(client: Client, planner: Planner, clock: Clock, place: Place) -> None:
    """Answer until cancelled. What goes wrong is logged: scheduling does not depend on it."""
    while True:
        try:
            await _serve(client, planner, clock, place)
        except (ApiError, OSError) as problem:
            log.warning("%s is not served: %s", VISIBILITY.group, problem)
        await asyncio.sleep(AGAIN)


async def _serve(client: Client, planner: Planner, clock: Clock, place: Place) -> None:
    first = await front(client)
    known = Known(client, first)
    with tempfile.TemporaryDirectory(prefix="athanor-visibility-") as folder:
        name = f"{VISIBILITY.name}.{place.namespace}.svc"
        trusted = Path(folder) / "front.crt"
        trusted.write_text(first.authority)
        shown = Shown(
            Path(folder) / "pki", clock, hosts=[name], name=VISIBILITY.name, trusts=str(trusted)
        )
        server = HttpServer(Door(planner, known.knows).serve)
        host, _, port = place.listen.rpartition(":")
        bound = await server.start(host.strip("[]"), int(port), shown.tls)

        async def tell(authority: bytes) -> None:
            await known.look(shown.tls)
            await announce(client, VISIBILITY, place.namespace, place.port, authority)

        try:
            if place.address:
                await _point(client, place, bound)
            await tell(shown.authority)
            await shown.run(tell, REMIND)
        finally:
            await asyncio.shield(withdraw(client, VISIBILITY, shown.authority))
            await server.close(0.2)


async def _point(client: Client, place: Place, port: int) -> None:
    """Lead the Service here."""
    resource = by_kind("discovery.k8s.io/v1", "EndpointSlice")
    assert resource is not None
    ends: JSON = {
        "endpoints": [{"addresses": [place.address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    try:
        await client(calls.patch(resource, VISIBILITY.name, place.namespace, ends))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        marks = {
            "kubernetes.io/service-name": VISIBILITY.name,
            "endpointslice.kubernetes.io/managed-by": "athanor-controllers",
        }
        service = await client(calls.get(Service, VISIBILITY.name, place.namespace))
        owner = {"apiVersion": "v1", "kind": "Service", "name": VISIBILITY.name,
                 "uid": service.metadata.uid}  # fmt: skip
        meta = {"name": VISIBILITY.name, "namespace": place.namespace, "labels": marks,
                "ownerReferences": [owner]}  # fmt: skip
        made = {
            "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta,
            "addressType": f"IPv{ipaddress.ip_address(place.address).version}", **ends,
        }  # fmt: skip
        await client(calls.create(resource, made))
