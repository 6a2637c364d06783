"""Who passes requests on to a cluster's aggregated servers: its API server, by its certificate.

The cluster's own configuration (`extension-apiserver-authentication`) names the authority that
signs it; any aggregated server may read that.
"""

from __future__ import annotations

import json
import ssl

from msgspec import Struct

from athanor.api.core import ConfigMap
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.kit.exchange import Peer
from athanor.wire import calls
from athanor.wire.status import ApiError

TRUST = ("kube-system", "extension-apiserver-authentication")


class Front(Struct, frozen=True):
    """Who passes requests on: signed by `authority` (PEM), called one of `names` (empty: any)."""

    authority: str
    names: frozenset[str]

    def knows(self, peer: Peer) -> bool:
        """Whether this is one; TLS has checked the signature."""
        return not self.names or peer.name in self.names


class Known:
    """The same as it is now: clusters change that authority, and their API servers go on at once.

    One that was trusted stays so until the process ends.
    """

    def __init__(self, client: Client, first: Front) -> None:
        self._client = client
        self._front = first

    def knows(self, peer: Peer) -> bool:
        """Whether this is one; TLS has checked the signature."""
        return self._front.knows(peer)

    async def look(self, tls: ssl.SSLContext) -> None:
        """Ask again, and let `tls` accept what there is now. Raises ApiError."""
        found = await front(self._client)
        if found.authority != self._front.authority:
            tls.load_verify_locations(cadata=found.authority)
        self._front = found


async def front(client: Client) -> Front:
    """What the cluster says of it. Raises ApiError NotFound when it passes nothing on."""
    namespace, name = TRUST
    found = await client(calls.raw("GET", of(ConfigMap).path(namespace, name)))
    data = found.get("data") or {}
    authority = data.get("requestheader-client-ca-file", "")
    if not authority:
        raise ApiError(
            "NotFound", "this cluster's API server passes no requests on (it has no "
            "--requestheader-client-ca-file), so nothing of ours can be reached through it",
        )  # fmt: skip
    return Front(authority, frozenset(json.loads(data.get("requestheader-allowed-names") or "[]")))
