"""What the scheduler sees, by which rules it decides, and what it decided: frozen values.

`cycle(snapshot, policy, now, memo) → (decisions, memo')`. Everything is exact: CPU in thousandths
of a core, memory in bytes, devices in thousandths of a device (`milli`), other resources in whole
units; device memory in MiB. Times are seconds since the epoch (float64); unknown is NaN.

Axes: N nodes, R resources, P pools, L topology levels, D device slots of a node, M device models,
K shapes (pods that ask for the same), C node classes (nodes that answer alike), Z gang classes
(gangs that ask for the same), S pod sets of the classes, Q queues, G gangs, A running pods,
V reservations. A snapshot is also the file that `athanor simulate` reads and writes.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from enum import IntEnum

import numpy as np

from athanor.features.scheduling.core.decisions import (
    Admit,
    Decisions,
    Eviction,
    Hold,
    Move,
    Placed,
    Policy,
    Shrink,
    Why,
)
from athanor.features.scheduling.core.table import (
    JSON,
    Bools,
    Floats,
    Ints,
    ShapeError,
    Smalls,
    Table,
    column,
    table,
    texts,
)

__all__ = [
    "Admit",
    "Decisions",
    "Eviction",
    "Hold",
    "Move",
    "Placed",
    "Policy",
    "Shrink",
    "Why",
]
"""What `decisions` holds is part of this seam."""

FORMAT = "athanor.dev/snapshot/v2"
SpreadRule = tuple[int, int, bool, bool, tuple[tuple[int, int], ...], int]
"""The fields of a `spread.Spread`, in order."""
UNSET = -1
"""In quota columns: nothing said (no limit; deserved = guaranteed; all of it lendable)."""


UNITS = "athanor.dev/units"
"""The derived resource of the rate table, in thousandths of a unit."""


HOST_PORT, ATTACHED, APART = "hostport/", "attachable-", "room to keep apart "
COUNTED = HOST_PORT, ATTACHED, APART
"""How resources are called that single nodes run short of: no queue has a share of them."""


class GangState(IntEnum):
    """Where a gang stands, as the scheduler sees it."""

    WAITING = 0
    RUNNING = 1  # admitted: it holds its placement until its pods are gone
    LEAVING = 2  # told to go; its capacity is free when its pods are gone


class QueueState(IntEnum):
    """What a queue lets through."""

    OPEN = 0
    HOLD = 1  # nothing new is admitted
    DRAIN = 2  # nothing new is admitted; what runs may finish
    CLOSED = 3  # nothing may be submitted


class Resize(IntEnum):
    """What a running gang does when it may grow or has to shrink."""

    NEVER = 0
    RESTART = 1  # all its ranks start again, from a checkpoint
    LIVE = 2  # ranks come and go


class Consent(IntEnum):
    """Whom a queue's gangs may push out."""

    NEVER = 0
    LOWER_PRIORITY = 1
    ANY = 2


@table
class Pools(Table):
    """Sorts of nodes. `levels` lists the pool's topology levels from the widest to the nearest.

    `derive[p, r, t]` is how much of resource t one unit of r counts as in pool p, for resources
    that are derived from others: cost units by the rate table, memory of whole devices.
    """

    names: tuple[str, ...] = texts("P")
    levels: tuple[tuple[int, ...], ...] = texts("P")
    spread: Bools = column(np.bool_, "P")
    derive: Floats = column(np.float64, "PRT")  # T = R
    elastic: Bools = column(np.bool_, "P")
    cost: Floats = column(np.float64, "P")


@table
class Nodes(Table):
    """Machines, in the order that breaks ties. `foreign` is used by pods that are no gang's.

    `domains` holds, a level, the number of the node's domain (UNSET: none). `retry_at`: not to be
    used before (a node that refused pods, or keeps failing). Devices: `kind` is an index into the
    snapshot's `device_kinds` (UNSET: no such slot), `slots` how many slices a device has (0: it
    cannot be cut).
    """

    names: tuple[str, ...] = texts("N")
    pool: Smalls = column(np.int32, "N")
    klass: Smalls = column(np.int32, "N")
    capacity: Ints = column(np.int64, "NR")
    foreign: Ints = column(np.int64, "NR")
    domains: Smalls = column(np.int32, "LN")
    retry_at: Floats = column(np.float64, "N")
    kind: Smalls = column(np.int32, "ND")
    model: Smalls = column(np.int32, "ND")
    memory: Ints = column(np.int64, "ND")
    slots: Smalls = column(np.int32, "ND")
    healthy: Bools = column(np.bool_, "ND")


@table
class Shapes(Table):
    """What one pod needs. `request` includes devices, in milli, in the column of their resource.

    `devices` of kind `kind` with `milli` free compute and `mib` free memory each, of a model that
    `models` admits, at least `min_mib` big; or `slice_slots` neighbouring slots of one device.
    `barred[k, c]` says why shape k may not use nodes of class c (a `Cause`; 0: it may).
    `weight` is the shape's part in the task mix that fragmentation is measured by (any scale).
    `per_node` limits pods of this shape on a node (host ports, anti-affinity to itself; 0: none).
    """

    request: Ints = column(np.int64, "KR")
    kind: Smalls = column(np.int32, "K")
    devices: Smalls = column(np.int32, "K")
    milli: Smalls = column(np.int32, "K")
    mib: Ints = column(np.int64, "K")
    min_mib: Ints = column(np.int64, "K")
    slice_slots: Smalls = column(np.int32, "K")
    models: Bools = column(np.bool_, "KM")
    per_node: Smalls = column(np.int32, "K")
    barred: Smalls = column(np.int32, "KC")
    weight: Floats = column(np.float64, "K")


class Cause(IntEnum):
    """Why a node class is closed to a shape."""

    NONE = 0
    NOT_READY = 1
    UNSCHEDULABLE = 2
    TAINT = 3
    SELECTOR = 4
    AFFINITY = 5
    OTHER_PODS = 6
    VOLUME = 7
    GIVEN_DEVICES = 8


@table
class Classes(Table):
    """What gangs ask for: class z has the pod sets first[z] … first[z + 1] - 1.

    `pools` are the pools its gangs want, in order of preference (empty: the queue's order).
    """

    first: Smalls = column(np.int32, "Y")  # Y = Z + 1
    pools: tuple[tuple[int, ...], ...] = texts("Z")


@table
class PodSets(Table):
    """`count` pods of one shape; at least `least` start together. Levels are UNSET when not asked.

    `slice_size` pods each need one domain of `slice_level` (0: no slices). `spreads` are rules of
    how pods are spread over domains (see `spread.Spread`).
    `prefer`: how good a node of each class is for the set, best first; all equal when empty.
    """

    names: tuple[str, ...] = texts("S")
    shape: Smalls = column(np.int32, "S")
    count: Smalls = column(np.int32, "S")
    least: Smalls = column(np.int32, "S")
    required: Smalls = column(np.int32, "S")
    preferred: Smalls = column(np.int32, "S")
    balanced: Bools = column(np.bool_, "S")
    slice_size: Smalls = column(np.int32, "S")
    slice_level: Smalls = column(np.int32, "S")
    spreads: tuple[tuple[SpreadRule, ...], ...] = texts("S")
    prefer: tuple[tuple[int, ...], ...] = texts("S")


@table
class Queues(Table):
    """The quota tree (`parent` is UNSET for a root), and how each queue orders and preempts.

    `preference` ranks the pools a queue uses (UNSET: it may not); `spill_after` are the seconds
    that work waits for a pool before it may go to the next (infinite: at once when it is full is
    0). `decayed` is past use in resource-seconds as of `decayed_at`. `budget_left` is in
    GPU-hours, infinite without a budget.
    """

    names: tuple[str, ...] = texts("Q")
    parent: Smalls = column(np.int32, "Q")
    guaranteed: Ints = column(np.int64, "QPR")
    deserved: Ints = column(np.int64, "QPR")
    limit: Ints = column(np.int64, "QPR")
    lendable: Ints = column(np.int64, "QPR")
    preference: Smalls = column(np.int32, "QP")
    spill_after: Floats = column(np.float64, "QP")
    strict: Bools = column(np.bool_, "Q")
    weight: Ints = column(np.int64, "Q")
    half_life: Floats = column(np.float64, "Q")
    state: Smalls = column(np.int32, "Q")
    within: Smalls = column(np.int32, "Q")
    reclaim: Smalls = column(np.int32, "Q")
    min_runtime: Floats = column(np.float64, "Q")
    max_runtime: Floats = column(np.float64, "Q")
    user_limit: Ints = column(np.int64, "QR")
    decayed: Floats = column(np.float64, "QPR")
    decayed_at: Floats = column(np.float64, "Q")
    budget_left: Floats = column(np.float64, "Q")


@table
class Gangs(Table):
    """Waiting and running gangs. `refused` is a `core.why.Code` the API side found (0: none).

    `started` counts from admission; `expected_end` is NaN when nothing is known;
    `saved` is the time of the last checkpoint; `restart_cost` and `grace` are seconds. `limit`
    is how many seconds it may run at most (infinite: no limit), `resize` a `Resize`, `resized` when
    its size last changed (NaN: never). All of its pods share a domain of level `within`, if asked.
    `attained` is how long earlier runs of it lasted together; `lifetime` its row in `Lifetimes`
    (UNSET: nothing learned); `remaining` the seconds that its own progress says were left at
    `remaining_at` (NaN: it does not say). For one that `awaits`, an earlier cycle told others to
    leave or shrink.
    """

    names: tuple[str, ...] = texts("G")
    queue: Smalls = column(np.int32, "G")
    klass: Smalls = column(np.int32, "G")
    state: Smalls = column(np.int32, "G")
    priority: Ints = column(np.int64, "G")
    created: Floats = column(np.float64, "G")
    user: Smalls = column(np.int32, "G")
    preemptible: Bools = column(np.bool_, "G")
    preempts: Bools = column(np.bool_, "G")
    estimate: Floats = column(np.float64, "G")
    refused: Smalls = column(np.int32, "G")
    pool: Smalls = column(np.int32, "G")
    started: Floats = column(np.float64, "G")
    expected_end: Floats = column(np.float64, "G")
    saved: Floats = column(np.float64, "G")
    restart_cost: Floats = column(np.float64, "G")
    grace: Floats = column(np.float64, "G")
    limit: Floats = column(np.float64, "G")
    resize: Smalls = column(np.int32, "G")
    resized: Floats = column(np.float64, "G")
    within: Smalls = column(np.int32, "G")
    attained: Floats = column(np.float64, "G")
    lifetime: Smalls = column(np.int32, "G")
    remaining: Floats = column(np.float64, "G")
    remaining_at: Floats = column(np.float64, "G")
    awaits: Bools = column(np.bool_, "G")


@table
class Lifetimes(Table):
    """What ended runs taught (`core.lifetimes`): the chance that a run which comes to a bin of
    runtimes ends in it, a row for each kind of gangs; in units of the declared runtime, if any."""

    ends: Floats = column(np.float64, "HB")


@table
class Running(Table):
    """Pods that hold capacity. `pod_set` is a row of PodSets; `devices` a bit mask of the node's
    device slots; `slot` the first slice of a cut device (UNSET: not cut). Pods of a set are in the
    order of their ranks; those `leaving` were told to go, and hold their place until they do."""

    gang: Smalls = column(np.int32, "A")
    pod_set: Smalls = column(np.int32, "A")
    node: Smalls = column(np.int32, "A")
    devices: Ints = column(np.int64, "A")
    slot: Smalls = column(np.int32, "A")
    rank: Smalls = column(np.int32, "A")
    leaving: Bools = column(np.bool_, "A")


@table
class Lost(Table):
    """Ranks whose node failed under them; their gangs take other places for them."""

    gang: Smalls = column(np.int32, "O")
    pod_set: Smalls = column(np.int32, "O")
    rank: Smalls = column(np.int32, "O")


@table
class Reservations(Table):
    """Nodes kept for some queues between two times; or, where none is named, amounts of a pool.

    `spares` are kept for ranks that lost their node.
    """

    names: tuple[str, ...] = texts("V")
    pool: Smalls = column(np.int32, "V")
    amounts: Ints = column(np.int64, "VR")
    spares: Bools = column(np.bool_, "V")
    nodes: Bools = column(np.bool_, "VN")
    queues: Bools = column(np.bool_, "VQ")
    start: Floats = column(np.float64, "V")
    end: Floats = column(np.float64, "V")


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything a cycle looks at. Raises ShapeError when its tables do not fit together."""

    resources: tuple[str, ...]
    device_kinds: tuple[str, ...]
    models: tuple[str, ...]
    levels: tuple[str, ...]
    users: tuple[str, ...]
    taints: tuple[str, ...] = ()
    pools: Pools
    nodes: Nodes
    shapes: Shapes
    classes: Classes
    pod_sets: PodSets
    queues: Queues
    gangs: Gangs
    running: Running
    lost: Lost
    reservations: Reservations
    lifetimes: Lifetimes

    def __post_init__(self) -> None:
        """Check that the tables agree on their axes and that indices point at something."""
        lengths: dict[str, int] = {
            "R": len(self.resources), "M": len(self.models), "L": len(self.levels)
        }  # fmt: skip
        for value in self._tables().values():
            for axis, length in value.lengths().items():
                if lengths.setdefault(axis, length) != length:
                    raise ShapeError(f"{type(value).__name__} has {length} along {axis}")
        for owner, name, values, size in self._pointers(lengths):
            if values.size and (values.min() < UNSET or values.max() >= size):
                raise ShapeError(f"{owner}.{name} points beyond its table ({size} rows)")

    def _pointers(self, n: dict[str, int]) -> list[tuple[str, str, Smalls, int]]:
        return [
            ("nodes", "pool", self.nodes.pool, n["P"]),
            ("nodes", "klass", self.nodes.klass, n["C"]),
            ("nodes", "kind", self.nodes.kind, len(self.device_kinds)),
            ("nodes", "model", self.nodes.model, n["M"]),
            ("pod_sets", "shape", self.pod_sets.shape, n["K"]),
            ("queues", "parent", self.queues.parent, n["Q"]),
            ("gangs", "queue", self.gangs.queue, n["Q"]),
            ("gangs", "klass", self.gangs.klass, n["Z"]),
            ("gangs", "pool", self.gangs.pool, n["P"]),
            ("gangs", "user", self.gangs.user, len(self.users)),
            ("gangs", "lifetime", self.gangs.lifetime, n["H"]),
            ("reservations", "pool", self.reservations.pool, n["P"]),
            ("running", "gang", self.running.gang, n["G"]),
            ("running", "node", self.running.node, n["N"]),
            ("running", "pod_set", self.running.pod_set, n["S"]),
            ("lost", "gang", self.lost.gang, n["G"]),
            ("lost", "pod_set", self.lost.pod_set, n["S"]),
        ]

    def _tables(self) -> dict[str, Table]:
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Table)}

    def to_json(self) -> str:
        """The snapshot as a text that `from_json` reads back bit for bit."""
        said: JSON = {"format": FORMAT}
        for f in fields(self):
            value = getattr(self, f.name)
            said[f.name] = value.to_json() if isinstance(value, Table) else list(value)
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Snapshot:
        """Read a snapshot. Raises ShapeError when the text is none."""
        said = json.loads(text)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise ShapeError(f"no scheduler snapshot: format is not {FORMAT}")
        read: JSON = {
            f.name: _TABLES[f.name].from_json(said[f.name])
            if f.name in _TABLES
            else tuple(said[f.name] if f.default is MISSING else said.get(f.name, f.default))
            for f in fields(cls)
        }
        return cls(**read)


_TABLES: dict[str, type[Table]] = {
    "pools": Pools, "nodes": Nodes, "shapes": Shapes, "classes": Classes, "pod_sets": PodSets,
    "queues": Queues, "gangs": Gangs, "running": Running, "lost": Lost,
    "reservations": Reservations,
    "lifetimes": Lifetimes,
}  # fmt: skip
