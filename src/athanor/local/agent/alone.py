"""One machine a node: two agents of one name would both run its pods."""

from __future__ import annotations

import asyncio
import logging
import uuid
from pathlib import Path

from msgspec import Struct

from athanor.api import core
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.times import parse_rfc3339
from athanor.local.pki import write_private
from athanor.wire import calls
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)
LEASES, LEASE_SECONDS = "kube-node-lease", 40
_HELD = (
    "node %s is another machine, or another agent on this one, which was heard %.0f s ago: this "
    "one waits until nothing has been heard of it for %d s; --node-name NAME makes another node"
)
_LOOK = 5.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NODES, _LEASES = of(core.Node), of(core.Lease)


class Identity(Struct, frozen=True):
    """Who is a node: a run of a machine, and one agent's data. Copies of a machine have the same
    data, restarts of an agent have both.
    """

    boot: str = ""
    data: str = ""


def identity(folder: Path) -> Identity:
    """This machine's with the data of a folder, where it is kept."""
    kept = folder / "identity"
    if not kept.exists():
        write_private(kept, str(uuid.uuid4()).encode())
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
    return Identity(boot, kept.read_text(encoding="ascii"))


async def alone(client: Client, clock: Clock, name: str, me: Identity) -> None:
    """Wait until nobody else is the node of that name.

    After a restart of the machine its own last run is one, until its lease is over.
    """
    seen, since, told = "", clock.monotonic(), False
    while True:
        try:
            beat = await _others_beat(client, name, me)
        except ApiError as error:
            log.warning("whether node %s is another machine is not known: %s", name, error)
        else:
            if beat != seen:
                seen, since = beat, clock.monotonic()
            age = clock.now() - parse_rfc3339(beat) if beat else LEASE_SECONDS
            if age >= LEASE_SECONDS or clock.monotonic() - since >= LEASE_SECONDS:
                return
            if not told:
                log.error(_HELD, name, max(age, 0.0), LEASE_SECONDS)
            told = True
        await asyncio.sleep(_LOOK)


async def _others_beat(client: Client, name: str, me: Identity) -> str:
    """When somebody else was heard last as this node; "" when nobody was. Raises ApiError."""
    try:
        status = (await client(calls.raw("GET", _NODES.path(None, name)))).get("status")
        lease = await client(calls.raw("GET", _LEASES.path(LEASES, name)))
    except ApiError as error:
        if error.code != 404:
            raise
        return ""
    info = (status or {}).get("nodeInfo") or {}
    known = Identity(info.get("bootID") or "", info.get("systemUUID") or "")
    if not known.boot or known == me:
        return ""
    return str((lease.get("spec") or {}).get("renewTime") or "")
