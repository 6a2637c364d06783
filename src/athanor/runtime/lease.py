"""One at work, others in wait: a lock made of a Lease, by client-go's rules.

`decide` is the whole rule, pure; `Elector` acts on it. The holder's clock is never compared with
ours: a lease is expired when *we* have seen it unchanged for its duration.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from athanor.api.core import Lease, LeaseSpec
from athanor.api.meta import JSON, to_manifest
from athanor.api.registry import of
from athanor.client.protocol import Client, Transport
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339_micro
from athanor.wire import calls
from athanor.wire.request import Request, Response, Stream
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

LEASES = of(Lease)
DURATION = 15
RETRY = 2.0


class Claim(Struct, frozen=True):
    """What to do about a lease now: create it, take or renew it, or wait."""

    verb: Literal["create", "update", "wait"]
    spec: LeaseSpec | None = None


def decide(lease: Lease | None, me: str, now: float, unchanged_for: float) -> Claim:
    """The next step for `me`; `unchanged_for`: seconds since we saw this lease change."""
    held = lease.spec if lease is not None else LeaseSpec()
    stamp = rfc3339_micro(now)
    mine = LeaseSpec(
        holder_identity=me,
        lease_duration_seconds=DURATION,
        acquire_time=stamp,
        renew_time=stamp,
        lease_transitions=held.lease_transitions or 0,
    )
    if lease is None:
        return Claim("create", mine)
    if held.holder_identity == me:
        renewed = LeaseSpec(
            holder_identity=me,
            lease_duration_seconds=DURATION,
            acquire_time=held.acquire_time,
            renew_time=stamp,
            lease_transitions=held.lease_transitions,
        )
        return Claim("update", renewed)
    if held.holder_identity and unchanged_for < (held.lease_duration_seconds or DURATION):
        return Claim("wait")
    taken = LeaseSpec(
        holder_identity=me,
        lease_duration_seconds=DURATION,
        acquire_time=stamp,
        renew_time=stamp,
        lease_transitions=(held.lease_transitions or 0) + 1,
    )
    return Claim("update", taken)


class Fenced:
    """A Transport that writes nothing once the lease may be another's.

    A process that was stopped, or slow, between a decision and its writes finds out here.
    """

    def __init__(self, transport: Transport, valid: Callable[[], bool]) -> None:
        self._transport = transport
        self._valid = valid

    async def send(self, request: Request) -> Response:
        """The whole answer. Raises ApiError (Conflict)."""
        if request.method != "GET" and not self._valid():
            raise ApiError("Conflict", "the lease has run out: another process may lead by now")
        return await self._transport.send(request)

    async def stream(self, request: Request) -> Stream:
        """An answer in chunks."""
        return await self._transport.stream(request)

    async def close(self) -> None:
        """Give connections back."""
        await self._transport.close()


class Elector:
    """Runs work only while `me` holds the lease `namespace/name`.

    `client` is for that work: it writes only while the lease is surely ours. `caution`: seconds to
    wait with a lease that nobody was seen to give back, or to leave to its end: somebody else may
    have had it until just now, and finds out when he renews it.
    """

    def __init__(
        self, client: Client, namespace: str, name: str, me: str, clock: Clock,
        caution: float = 0.0,
    ) -> None:  # fmt: skip
        self.client = Client(Fenced(client.transport, lambda: clock.monotonic() < self._until))
        self._client = client
        self._until = 0.0
        self._namespace = namespace
        self._name = name
        self._me = me
        self._clock = clock
        self._version = ""
        self._changed_at = 0.0
        self._caution = caution
        self._sure = False
        self.leading = False

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then work; returns when the lease is lost or the work ends."""
        while True:
            if await self._taken():
                break
            await asyncio.sleep(RETRY)
        self.leading = True
        job = asyncio.ensure_future(work())
        try:
            while not job.done() and self._clock.monotonic() < self._until:
                await asyncio.wait((job,), timeout=RETRY)
                if not job.done():
                    await self._try(self._until - self._clock.monotonic())
            if not job.done():
                log.warning("the lease %s is lost; %s stops working", self._name, self._me)
        finally:
            self.leading = False
            if not job.done():
                job.cancel()
            await asyncio.gather(job, return_exceptions=True)
        if not job.cancelled():
            job.result()

    async def _taken(self) -> bool:
        """Whether the lease is ours, and surely nobody else's any more."""
        if not await self._try(DURATION):
            return False
        if self._caution and not self._sure:
            await asyncio.sleep(self._caution)
            return await self._try(DURATION)
        return True

    async def release(self) -> None:
        """Give the lease back, so that another need not wait for its end."""
        self._until = 0.0
        try:
            lease = await self._client(calls.get(Lease, self._name, self._namespace))
            if lease.spec.holder_identity == self._me:
                spec: JSON = {"holderIdentity": "", "leaseDurationSeconds": 1}
                meta = {"resourceVersion": lease.metadata.resource_version}
                body = {"metadata": meta, "spec": spec}
                await self._client(calls.patch(LEASES, self._name, self._namespace, body))
        except ApiError as problem:
            log.info("the lease %s was not given back: %s", self._name, problem.message)

    async def _try(self, within: float) -> bool:
        """Whether the lease is ours from now on; a server that says nothing says no."""
        asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(within):
                if not await self._claim():
                    self._until = 0.0  # another holds it
                    return False
        except (ApiError, TimeoutError) as problem:
            log.info("the lease %s: %s", self._name, str(problem) or "no answer")
            return False
        self._until = asked + DURATION - 2 * RETRY
        return True

    async def _claim(self) -> bool:
        lease: Lease | None = None
        try:
            lease = await self._client(calls.get(Lease, self._name, self._namespace))
        except ApiError as problem:
            if problem.reason != "NotFound":
                raise
        now = self._clock.monotonic()
        version = lease.metadata.resource_version if lease is not None else ""
        if version != self._version:
            self._version, self._changed_at = version, now
        claim = decide(lease, self._me, self._clock.now(), now - self._changed_at)
        if claim.spec is None:
            return False
        self._sure = lease is not None and lease.spec.holder_identity != self._me
        meta: JSON = {"name": self._name, "namespace": self._namespace}
        if lease is not None:
            meta["resourceVersion"] = version
        manifest = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": meta,
            "spec": to_manifest(claim.spec),
        }
        if lease is None:
            await self._client(calls.create(LEASES, manifest))
        else:
            await self._client(calls.update(LEASES, manifest))
        return True
