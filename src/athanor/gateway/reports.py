"""How far ranks are, told by themselves where no agent of ours reads their files: on a cluster.

A rank speaks for itself only: its account's token is bound to its pod, and the API server says to
which. The answer tells it whether it is asked for a checkpoint.
"""

from __future__ import annotations

import msgspec

from athanor.api import gateway, labels
from athanor.api.core import Pod
from athanor.api.gateway import PodReport
from athanor.api.meta import ObjectMeta
from athanor.api.registry import of
from athanor.api.scheduling import Progress
from athanor.client.protocol import Client
from athanor.kit.exchange import Exchange
from athanor.wire import calls
from athanor.wire.status import ApiError

LARGEST = 64 * 1024
"""Bytes of a report."""
ACCOUNT = "system:serviceaccount:{}:"
BOUND = "x-remote-extra-authentication.kubernetes.io%2fpod-{}"
"""The header in which the API server says to which pod a token is bound: its name, its uid."""


class Reports:
    """Writes what ranks say into the annotations of their pods."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def take(self, exchange: Exchange, namespace: str, pod: str) -> PodReport:
        """One report of one rank. Raises ApiError: Forbidden, BadRequest, NotFound."""
        headers = exchange.headers
        user, bound = headers.get("x-remote-user", ""), headers.get(BOUND.format("name"), "")
        if not user.startswith(ACCOUNT.format(namespace)) or bound != pod:
            raise ApiError("Forbidden", f"{user} does not speak for pod {pod} of {namespace}")
        try:
            told = msgspec.json.decode(await exchange.body(LARGEST), type=Progress)
        except msgspec.MsgspecError as wrong:
            raise ApiError("BadRequest", f"this is no progress: {wrong}") from None
        body = {
            "metadata": {
                "uid": headers.get(BOUND.format("uid"), ""),
                "annotations": {labels.PROGRESS: msgspec.json.encode(told).decode()},
            }
        }
        found = await self._client(calls.patch(of(Pod), pod, namespace, body, subresource="status"))
        notes = found["metadata"]["annotations"]
        return PodReport(
            api_version=gateway.API_VERSION, kind="PodReport",
            metadata=ObjectMeta(name=pod, namespace=namespace),
            checkpoint_requested=notes.get(labels.CHECKPOINT_REQUESTED, ""),
            checkpoint_by=notes.get(labels.CHECKPOINT_BY, ""),
        )  # fmt: skip
