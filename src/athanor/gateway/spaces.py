"""Since when namespaces are there: what is kept of one that was deleted is not for its successor.

Names of namespaces come again, with other people behind them; RBAC knows the name alone.
"""

from __future__ import annotations

from athanor.api.core import Namespace
from athanor.client.protocol import Client
from athanor.wire import calls
from athanor.wire.status import ApiError

NEVER = "never"
"""Later than any time (RFC 3339): there is no such namespace."""


class Spaces:
    """Asks the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def since(self, namespace: str) -> str:
        """When a namespace was made; NEVER when it is not there."""
        try:
            found = await self._client(calls.get(Namespace, namespace))
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            return NEVER
        return found.metadata.creation_timestamp or ""

    async def all(self) -> dict[str, str]:
        """The same of every one that is there."""
        found = await self._client(calls.list_(Namespace))
        return {one.metadata.name: one.metadata.creation_timestamp or "" for one in found.items}
