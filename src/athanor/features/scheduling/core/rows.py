"""The rows that `build` makes a snapshot of: one value a thing, names instead of numbers.

Amounts are in the core's units (see `snapshot`); names tie rows together; equal asks are found
and become one gang class, equal pods one shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from athanor.features.scheduling.core.snapshot import (
    UNSET,
    Consent,
    GangState,
    QueueState,
    Resize,
)

Amounts = Mapping[str, int]
NAN = float("nan")
INF = float("inf")


class PoolRow(NamedTuple):
    """A sort of nodes; levels from the widest to the nearest; `derive` (from, to) → factor."""

    name: str
    levels: tuple[str, ...] = ()
    spread: bool = False
    elastic: bool = False
    cost: float = 0.0
    derive: Mapping[tuple[str, str], float] = {}


class DeviceRow(NamedTuple):
    """One device of a node; memory in MiB; `slots` slices (0: cannot be cut)."""

    kind: str
    model: str = ""
    memory: int = 0
    slots: int = 0
    healthy: bool = True


class NodeRow(NamedTuple):
    """A machine. `klass` numbers nodes that answer alike, as the `barred` of the shapes does."""

    name: str
    pool: str
    capacity: Amounts
    klass: int = 0
    foreign: Amounts = {}
    domains: Mapping[str, str] = {}
    devices: tuple[DeviceRow, ...] = ()
    retry_at: float = -INF


class ShapeRow(NamedTuple):
    """What one pod needs. `request` without devices; those are `devices` × `milli` of `kind`."""

    request: tuple[tuple[str, int], ...] = ()
    kind: str = ""
    devices: int = 0
    milli: int = 1000
    mib: int = 0
    min_mib: int = 0
    slice_slots: int = 0
    models: tuple[str, ...] = ()
    per_node: int = 0
    barred: tuple[int, ...] = (0,)
    weight: float = 0.0


class SpreadRow(NamedTuple):
    """A rule of how pods are spread over domains of a label (see `spread.Spread`)."""

    level: str
    skew: int
    soft: bool = False
    counts: bool = True
    beside: tuple[tuple[str, int], ...] = ()
    domains: int = 1


class PodSetRow(NamedTuple):
    """`pods` pods of one shape, at least `least` of them together."""

    name: str
    shape: ShapeRow
    pods: int = 1
    least: int | None = None
    required: str = ""
    preferred: str = ""
    balanced: bool = False
    slice_size: int = 0
    slice_level: str = ""
    spreads: tuple[SpreadRow, ...] = ()
    prefer: tuple[int, ...] = ()


class AskRow(NamedTuple):
    """All that decides where a gang fits: its pod sets, and the pools it wants (in order)."""

    pod_sets: tuple[PodSetRow, ...]
    pools: tuple[str, ...] = ()
    within: str = ""


class QuotaRow(NamedTuple):
    """Rights of a queue in one pool; a missing limit is none, a missing deserved = guaranteed."""

    guaranteed: Amounts = {}
    deserved: Amounts = {}
    limit: Amounts = {}
    lendable: Amounts = {}
    spill_after: float = 0.0


class QueueRow(NamedTuple):
    """A node of the quota tree. `quotas` are in order of preference."""

    name: str
    parent: str = ""
    quotas: Mapping[str, QuotaRow] = {}
    strict: bool = False
    weight: int = 1
    half_life: float = NAN
    state: int = QueueState.OPEN
    within: int = Consent.LOWER_PRIORITY
    reclaim: int = Consent.ANY
    min_runtime: float = 0.0
    max_runtime: float = INF
    user_limit: Amounts = {}
    decayed: Mapping[tuple[str, str], float] = {}
    decayed_at: float = NAN
    budget_left: float = INF


class GangRow(NamedTuple):
    """A gang. An unknown queue is refused by the caller (`refused`)."""

    name: str
    queue: str
    ask: AskRow
    state: int = GangState.WAITING
    priority: int = 0
    created: float = 0.0
    user: str = ""
    preemptible: bool = True
    preempts: bool = True
    estimate: float = NAN
    refused: int = 0
    pool: str = ""
    started: float = NAN
    expected_end: float = NAN
    saved: float = NAN
    restart_cost: float = 0.0
    grace: float = 30.0
    limit: float = INF
    resize: int = Resize.NEVER
    resized: float = NAN
    attained: float = 0.0
    lifetime: int = UNSET
    remaining: float = NAN
    remaining_at: float = NAN
    awaits: bool = False


class RunningRow(NamedTuple):
    """One pod that holds capacity. `pod_set` counts within its gang's ask."""

    gang: str
    pod_set: int
    node: str
    devices: int = 0
    slot: int = UNSET
    rank: int = UNSET
    leaving: bool = False


class LostRow(NamedTuple):
    """A rank that lost its node."""

    gang: str
    pod_set: int
    rank: int


class ReservationRow(NamedTuple):
    """Nodes kept for queues, or (without nodes) amounts of a pool."""

    name: str
    nodes: tuple[str, ...]
    queues: tuple[str, ...]
    start: float = -INF
    end: float = INF
    pool: str = ""
    amounts: Amounts = {}
    spares: bool = False


class Rows(NamedTuple):
    """Everything of a snapshot, as rows. The order of `nodes` breaks ties.

    `levels` are domains that no pool's topology has; `taints` what keeps pods off the nodes of each
    class: "a,b".
    """

    pools: Sequence[PoolRow]
    nodes: Sequence[NodeRow]
    queues: Sequence[QueueRow]
    gangs: Sequence[GangRow] = ()
    running: Sequence[RunningRow] = ()
    lost: Sequence[LostRow] = ()
    reservations: Sequence[ReservationRow] = ()
    resources: Sequence[str] = ()
    node_classes: int = 1
    lifetimes: Sequence[Sequence[float]] = ()
    levels: Sequence[str] = ()
    taints: Sequence[str] = ()
