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
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.kit.times import rfc3339_micro
from athanor.wire import calls
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


class Elector:
    """Runs work only while `me` holds the lease `namespace/name`."""

    def __init__(self, client: Client, namespace: str, name: str, me: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._me = me
        self._clock = clock
        self._version = ""
        self._changed_at = 0.0
        self.leading = False

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then work; returns when the lease is lost or the work ends."""
        while True:
            if await self._try():
                break
            await asyncio.sleep(RETRY)
        self.leading = True
        job = asyncio.ensure_future(work())
        renewed = self._clock.monotonic()
        try:
            while not job.done() and self._clock.monotonic() - renewed < DURATION - 2 * RETRY:
                await asyncio.wait((job,), timeout=RETRY)
                if not job.done() and await self._try():
                    renewed = self._clock.monotonic()
            if not job.done():
                log.warning("the lease %s is lost; %s stops working", self._name, self._me)
        finally:
            self.leading = False
            if not job.done():
                job.cancel()
            await asyncio.gather(job, return_exceptions=True)
        if not job.cancelled():
            job.result()

    async def release(self) -> None:
        """Give the lease back, so that another need not wait for its end."""
        try:
            lease = await self._client(calls.get(Lease, self._name, self._namespace))
            if lease.spec.holder_identity == self._me:
                spec: JSON = {"holderIdentity": "", "leaseDurationSeconds": 1}
                meta = {"resourceVersion": lease.metadata.resource_version}
                body = {"metadata": meta, "spec": spec}
                await self._client(calls.patch(LEASES, self._name, self._namespace, body))
        except ApiError as problem:
            log.info("the lease %s was not given back: %s", self._name, problem.message)

    async def _try(self) -> bool:
        try:
            return await self._claim()
        except ApiError as problem:
            log.info("the lease %s: %s", self._name, problem.message)
            return False

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
