"""Reservations as rows for the core, and as their statuses: what is kept, and whether it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from athanor.api.meta import to_manifest
from athanor.api.registry import of
from athanor.api.scheduling import Reservation, ReservationStatus
from athanor.features.scheduling.core.rows import INF, DeviceRow, ReservationRow
from athanor.features.scheduling.core.why import amount
from athanor.features.scheduling.machines import Machine
from athanor.features.scheduling.queues import amounts_of
from athanor.kit.quantity import QuantityError
from athanor.kit.times import parse_rfc3339
from athanor.runtime.plan import Patch, difference

Phase = Literal["Pending", "Active", "Expired", "Invalid"]
Offers = Mapping[str, tuple[dict[str, int], tuple[DeviceRow, ...]]]
"""Node → plain amounts and devices it offers."""


class Ground(NamedTuple):
    """What reservations stand on: nodes with their pool, what they offer, and all queues."""

    pool_of: Mapping[str, str]
    offers: Offers
    pools: frozenset[str]
    queues: frozenset[str]
    devices: frozenset[str]


def ground(machines: Iterable[Machine], pools: Iterable[str], queues: Iterable[str]) -> Ground:
    """What reservations stand on."""
    offers = {one.node.metadata.name: (one.offered, one.pool) for one in machines}
    return Ground(
        pool_of={name: pool for name, (_, pool) in offers.items()},
        offers={name: offered for name, (offered, _) in offers.items()},
        pools=frozenset(pools),
        queues=frozenset(queues),
        devices=frozenset(row.kind for (_, rows), _ in offers.values() for row in rows),
    )


def problem(one: Reservation, ground: Ground) -> str:
    """What is wrong with a reservation, by the field's name; empty when nothing is."""
    spec = one.spec
    if spec.pool and spec.pool not in ground.pools:
        return f"spec.pool: there is no pool {spec.pool}"
    if not spec.pool and not spec.nodes:
        return "spec.pool: a reservation names a pool, or nodes"
    unknown = sorted(set(spec.queues) - ground.queues)
    if unknown:
        return f"spec.queues: there is no queue {unknown[0]}"
    missing = [node for node in spec.nodes if node not in ground.offers]
    if missing:
        return f"spec.nodes: there is no node {missing[0]}"
    if spec.start and spec.end and parse_rfc3339(spec.start) >= parse_rfc3339(spec.end):
        return "spec.end: it is not later than spec.start"
    try:
        asked = amounts_of(spec.amounts, ground.devices)
    except QuantityError as wrong:
        return f"spec.amounts: {wrong}"
    have = _of_pool(spec.pool, ground)
    over = sorted(name for name, wanted in asked.items() if wanted > have.get(name, 0))
    if over and not spec.nodes:
        much, most = (amount(over[0], of.get(over[0], 0), ground.devices) for of in (asked, have))
        return f"spec.amounts.{over[0]}: {much} is more than the {most} of pool {spec.pool}"
    return ""


def row(one: Reservation, ground: Ground) -> ReservationRow | None:
    """The reservation as the core reads it; None for one that has a problem."""
    spec = one.spec
    if problem(one, ground):
        return None
    kept = list(spec.nodes)
    if not kept and (spec.spares or not spec.amounts):
        kept = _chosen(one, ground)
    return ReservationRow(
        one.metadata.name,
        tuple(kept),
        tuple(spec.queues),
        _time(spec.start, -INF),
        _time(spec.end, INF),
        pool="" if kept else spec.pool,
        amounts={} if kept else amounts_of(spec.amounts, ground.devices),
        spares=spec.spares,
    )


def statuses(found: Sequence[Reservation], ground: Ground, now: float) -> Iterator[Patch]:
    """The statuses that say something new."""
    for one in found:
        wrong = problem(one, ground)
        made = row(one, ground)
        phase: Phase = "Active"
        if wrong or made is None:
            phase = "Invalid"
        elif made.end <= now:
            phase = "Expired"
        elif made.start > now:
            phase = "Pending"
        wanted = to_manifest(
            ReservationStatus(
                observed_generation=one.metadata.generation or 0,
                phase=phase,
                message=wrong,
                nodes=len(made.nodes) if made else 0,
                conditions=one.status.conditions,
                gang=one.status.gang,
            )
        )
        body = difference(to_manifest(one.status), wanted)
        if body:
            yield Patch(
                resource=of(Reservation), name=one.metadata.name, body={"status": body},
                subresource="status",
            )  # fmt: skip


def next_change(found: Iterable[Reservation], now: float) -> float | None:
    """Seconds until one starts or ends."""
    moments = [_time(at, INF) for one in found for at in (one.spec.start, one.spec.end) if at]
    return min((at - now for at in moments if at > now), default=None)


def _chosen(one: Reservation, ground: Ground) -> list[str]:
    """All nodes of the pool, or the first that have the amounts."""
    left = dict(amounts_of(one.spec.amounts, ground.devices))
    kept: list[str] = []
    for name, pool in ground.pool_of.items():
        if pool != one.spec.pool:
            continue
        if one.spec.amounts and all(amount <= 0 for amount in left.values()):
            break
        have = _of_node(name, ground)
        left = {resource: amount - have.get(resource, 0) for resource, amount in left.items()}
        kept.append(name)
    return kept


def _of_pool(pool: str, ground: Ground) -> Counter[str]:
    total: Counter[str] = Counter()
    for name, owner in ground.pool_of.items():
        if owner == pool:
            total.update(_of_node(name, ground))
    return total


def _of_node(name: str, ground: Ground) -> Counter[str]:
    plain, devices = ground.offers[name]
    return Counter(plain) + Counter({k: n * 1000 for k, n in _count(devices).items()})


def _count(devices: Iterable[DeviceRow]) -> Counter[str]:
    return Counter(device.kind for device in devices)


def _time(text: str | None, otherwise: float) -> float:
    return parse_rfc3339(text) if text else otherwise
