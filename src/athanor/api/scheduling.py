"""Gang, Queue, Pool and Reservation: what the scheduler reads and what it answers.

The Gang is the meeting point of all features: everything that needs hardware becomes one. Who
writes what: a Gang's `spec` belongs to its owner (training, workspaces, …); `status.admission` and
`status.reasons` to scheduling; the rest of the status to gangs. Two hand-overs, in one write each:
scheduling puts a gang that it admits to Starting. And when a gang had to go (evicted,
suspended, displaced by a node's fault) and its last pod is gone, gangs clears `admission` itself,
in the write that puts the phase back to Pending (or Suspended): whoever sees an admission knows
that its capacity is used, unless the phase is Succeeded or Failed, which are written only when no
pod of the gang is alive. Later changes only add fields to specs.

Durations are whole seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from athanor.api.amounts import Amount, Amounts, Name, Time
from athanor.api.ends import PastRun, RankFailure
from athanor.api.meta import JSON, Base, Condition, Object, ObjectReference
from athanor.api.numbers import NonNegative, Number, Positive

DEFAULT_QUEUE = "default"
"""The queue of gangs that name none."""
PRIORITY = "athanor-"
"""How the names of our PriorityClasses begin; people leave it out."""
MAX_GRACE = 600
"""Seconds that a gang may take for its checkpoint, and its pods to end, where no queue says any."""


# --- Gang -------------------------------------------------------------------------------------


class Topology(Base, frozen=True, kw_only=True):
    """How near to each other the pods of a set must or should be.

    Levels are names of a Pool's `topologyLevels`, for instance "rack". A set may also be cut into
    slices of `sliceSize` pods that each need one domain of `sliceLevel` (a rack or NVLink domain).
    """

    required: str | None = None
    preferred: str | None = None
    balanced: bool = False
    slice_size: Positive | None = None
    slice_level: str | None = None


class Gpu(Base, frozen=True, kw_only=True):
    """Which devices each pod of a set needs, beyond the counts in its template's requests.

    `milli` is a share of one device's compute (1000 = all of it), `memory` of its memory.
    """

    resource: str = "nvidia.com/gpu"
    milli: Annotated[int, Meta(ge=1, le=1000)] | None = None
    memory: str | None = None
    models: list[str] = field(default_factory=list)
    min_memory: str | None = None
    slice_profile: str | None = None
    uuids: list[str] = field(default_factory=list)
    isolation: str | None = None


class PodSet(Base, frozen=True, kw_only=True):
    """`count` equal pods. The gang may start with `minCount` of them when that is given."""

    name: Name
    count: NonNegative = 1
    min_count: NonNegative | None = None
    template: JSON = field(default_factory=dict)
    topology: Topology | None = None
    gpu: Gpu | None = None


class CheckpointPolicy(Base, frozen=True, kw_only=True):
    """What a gang can do before it is preempted.

    `graceSeconds`: how long it may take to write a checkpoint once asked. Others wait for that, so
    its queues have a limit (see `QueuePreemption`): a gang that asks for more is not admitted.
    `restartSeconds`: what a restart costs it, besides the work since the last checkpoint.
    """

    enabled: bool = False
    grace_seconds: NonNegative = 30
    restart_seconds: NonNegative = 60


class Outcome(Base, frozen=True, kw_only=True):
    """The owner's verdict on a gang: pods still alive are deleted, then it is so."""

    phase: Literal["Succeeded", "Failed"]
    reason: str = ""
    message: str = ""


class GangSpec(Base, frozen=True, kw_only=True):
    """Pods that start together, and the queue that pays for them.

    `attempt` is raised by the owner to restart the gang in place: pods of older attempts are
    deleted, and once they are gone those of the new one are created under the same admission.
    `suspend` gives the admission back and keeps the gang out of the queue. `restart` says what one
    failed rank means: the end of all ranks' attempt (Gang), or of its own (Rank); then
    `rankAttempts` ("worker-3" → 1) restarts ranks alone. `outcome` ends the gang. When `decides`
    is Owner, a gang with failed ranks stops (or goes on, see `restart`), keeps its admission and
    waits for a new attempt or an outcome; otherwise it fails by itself. `resize` is what a gang
    with sets of `minCount` < `count` does when it may grow or has to shrink while it runs: keep its
    size (Never), go on from a checkpoint with all ranks started again (Restart), or let ranks come
    and go (Live). With `replace`, ranks that lose their node get another one, beside those that
    run on (or all start again, see `restart`); otherwise such a gang goes back in line. All pods
    share one domain of the level `within`; pod sets may need smaller ones inside it. `adopts` names
    pods that exist already, a set's in the order of its ranks: they are bound, none is made; others
    that come under their names have other `adoptedUids`.
    `service`: ranks find each other as `{pod}.{gang}`, by a headless Service; work whose pods never
    talk to each other spares the cluster its endpoints. A gang of which `maxStartSeconds` after its
    admission not all ranks have started gives its places back (Kueue's `waitForPodsReady`).
    """

    pod_sets: Annotated[list[PodSet], Meta(min_length=1, max_length=64)] = field(
        default_factory=list
    )
    queue: str = DEFAULT_QUEUE
    priority_class_name: str = ""
    preemptible: bool | None = None
    pools: list[str] = field(default_factory=list)
    max_runtime_seconds: Positive | None = None
    max_start_seconds: Positive | None = None
    estimated_runtime_seconds: Positive | None = None
    checkpoint: CheckpointPolicy | None = None
    suspend: bool = False
    attempt: NonNegative = 0
    restart: Literal["Gang", "Rank"] = "Gang"
    rank_attempts: dict[str, NonNegative] = field(default_factory=dict)
    outcome: Outcome | None = None
    decides: Literal["Gang", "Owner"] = "Gang"
    within: str = ""
    resize: Literal["Never", "Restart", "Live"] = "Never"
    replace: bool = False
    adopts: dict[str, list[str]] = field(default_factory=dict)
    adopted_uids: dict[str, list[str]] = field(default_factory=dict)
    service: bool = True


class NodeRange(Base, frozen=True, kw_only=True):
    """`each` pods on every one of the nodes `prefix` + first…last (zero-padded to `width`).

    A name that does not end in digits is a range of its own: only `prefix` is set.
    """

    prefix: str
    first: Number | None = None
    last: Number | None = None
    width: NonNegative = 0
    each: Positive = 1


class Placement(Base, frozen=True, kw_only=True):
    """Where the pods of one set go: ranks in order over the nodes of the ranges in order.

    `devices`, when the scheduler chose them, are one entry a rank: device indices on its node;
    `slots` the first slice of a device that is cut. `isolation` says what keeps others from a
    share of a device: Hardware, Memory (its memory is capped), TimeSliced, or None (nothing does).
    """

    pod_set: str
    count: NonNegative
    nodes: list[NodeRange] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    isolation: str = ""


class Evict(Base, frozen=True, kw_only=True):
    """The gang has to go: by when, and why."""

    deadline: str
    reason: str
    message: str = ""
    by: str = ""


class Shrink(Base, frozen=True, kw_only=True):
    """Ranks from `counts` (pod set → how many stay) on have to go: by when, and why.

    Once their pods are gone, gangs takes them out of the placements, with this.
    """

    counts: dict[str, NonNegative]
    deadline: str
    reason: str
    message: str = ""
    by: str = ""


class Admission(Base, frozen=True, kw_only=True):
    """The scheduler's decision that a gang runs, and where.

    `generation` grows each time the placements of a running gang change (it grew, shrank, or ranks
    were replaced), last at `changedAt`. `maxRuntimeSeconds` and `maxStartSeconds` are the queue's,
    where they are nearer, `maxGraceSeconds` the queue's, where it has one.
    """

    queue: str
    pool: str
    placements: list[Placement] = field(default_factory=list)
    admitted_at: str = ""
    changed_at: str = ""
    expected_end: str | None = None
    evict: Evict | None = None
    generation: NonNegative = 0
    shrink: Shrink | None = None
    max_runtime_seconds: Positive | None = None
    max_start_seconds: Positive | None = None
    max_grace_seconds: NonNegative | None = None


class Reason(Base, frozen=True, kw_only=True):
    """Why a gang waits: one value of a closed enum, the numbers as a sentence, and as data."""

    code: str
    message: str
    details: JSON = field(default_factory=dict)


class PodCounts(Base, frozen=True, kw_only=True):
    """How many pods of one set are in which state, in the current attempt.

    `succeededRanks` is a list of ranges ("0-3,7"): a rank that succeeded never runs again. So is
    `overRanks`, of adopted pods that ended in another way or are gone: they hold nothing.
    """

    pod_set: str
    pending: NonNegative = 0
    running: NonNegative = 0
    ready: NonNegative = 0
    succeeded: NonNegative = 0
    failed: NonNegative = 0
    succeeded_ranks: str = ""
    over_ranks: str = ""


class Progress(Base, frozen=True, kw_only=True):
    """What the job says of itself."""

    step: int | None = None
    total: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    last_checkpoint_step: int | None = None
    last_checkpoint_time: str | None = None
    listens: bool = False
    updated_at: str | None = None


GangPhase = Literal[
    "Pending", "Admitted", "Starting", "Running", "Restarting", "Evicting", "Suspended",
    "Stopping", "Succeeded", "Failed",
]  # fmt: skip


class GangStatus(Base, frozen=True, kw_only=True):
    """The scheduler's `admission` and `reasons`; everything else by gangs.

    `ready` is for people: pods that run or have succeeded, of wanted ones, as in "3/4".
    `generation` is that of the admission whose placements the pods follow, `resizes` how often that
    meant a new start. `runs` are those that evictions ended: the first and the last few. Before
    `retryAt` it is not admitted: it did not start in time.
    """

    observed_generation: int = 0
    phase: GangPhase = "Pending"
    reason: str = ""
    message: str = ""
    attempt: NonNegative = 0
    conditions: list[Condition] = field(default_factory=list)
    admission: Admission | None = None
    reasons: list[Reason] = field(default_factory=list)
    pods: list[PodCounts] = field(default_factory=list)
    ready: str = ""
    failures: list[RankFailure] = field(default_factory=list)
    progress: Progress | None = None
    retry_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    evictions: NonNegative = 0
    ran_seconds: NonNegative = 0
    runs: list[PastRun] = field(default_factory=list)
    resizes: NonNegative = 0
    generation: NonNegative = 0


class Gang(Object, frozen=True, kw_only=True):
    """Pods that start together or not at all, queued for hardware."""

    spec: GangSpec = field(default_factory=GangSpec)
    status: GangStatus = field(default_factory=GangStatus)


# --- Queue ------------------------------------------------------------------------------------


class PoolQuota(Base, frozen=True, kw_only=True):
    """A queue's rights in one pool. Always guaranteed ≤ deserved ≤ limit, per resource.

    `lendable` is how much of the guarantee others may use while it is idle (default: all of it).
    `spillAfterSeconds`: how long work waits for this pool before it may go to the next.
    """

    pool: str
    guaranteed: Amounts = field(default_factory=dict)
    deserved: Amounts = field(default_factory=dict)
    limit: Amounts = field(default_factory=dict)
    lendable: Amounts = field(default_factory=dict)
    spill_after_seconds: NonNegative | None = None


class QueuePreemption(Base, frozen=True, kw_only=True):
    """Whom this queue's work may push out, and how long its own is safe after it started.

    `maxGraceSeconds`: how long its own may take for a checkpoint when it has to go, and then its
    pods to end. Of a queue and those above it the least holds; where none says any, `MAX_GRACE`.
    """

    within_queue: Literal["Never", "LowerPriority"] = "LowerPriority"
    reclaim: Literal["Never", "LowerPriority", "Any"] = "Any"
    min_runtime_seconds: NonNegative = 0
    max_grace_seconds: NonNegative | None = None


class Budget(Base, frozen=True, kw_only=True):
    """GPU-hours that may be spent per period; admission stops before they are overspent."""

    gpu_hours: Amount
    period: Literal["Day", "Week", "Month", "Total"] = "Month"


class FairShare(Base, frozen=True, kw_only=True):
    """Weight among siblings, and how fast past use is forgotten."""

    weight: Annotated[int, Meta(ge=1, le=1000000)] = 1
    half_life_seconds: Positive | None = None


class QueueSpec(Base, frozen=True, kw_only=True):
    """A node of the quota tree. `pools` are in order of preference."""

    parent: str = ""
    pools: Annotated[list[PoolQuota], Meta(max_length=32)] = field(default_factory=list)
    ordering: Literal["StrictFIFO", "BestEffortFIFO"] = "BestEffortFIFO"
    fair_share: FairShare | None = None
    preemption: QueuePreemption | None = None
    namespace_selector: JSON | None = None
    user_limit: Amounts = field(default_factory=dict)
    max_runtime_seconds: Positive | None = None
    max_start_seconds: Positive | None = None
    budget: Budget | None = None
    state: Literal["Open", "Hold", "Drain", "Closed"] = "Open"


class PoolUse(Base, frozen=True, kw_only=True):
    """What a queue uses of one pool, and what of it is borrowed."""

    pool: str
    used: Amounts = field(default_factory=dict)
    borrowed: Amounts = field(default_factory=dict)


class QueueTop(Base, frozen=True, kw_only=True):
    """One of the first in line. Whose it is, and what it asks for, only the visibility API tells
    those who may know.
    """

    reason: str = ""
    priority: int = 0


class BudgetUse(Base, frozen=True, kw_only=True):
    """What a queue (and all below it) spent in the period since `since`, counted up to `at`.

    `committed` is what its running gangs may still spend. In GPU-hours.
    """

    since: str
    at: str
    spent: str
    committed: str = "0"


class QueueStatus(Base, frozen=True, kw_only=True):
    """Use, the first in line, and what must survive a restart (decayed use, budget, runtimes)."""

    observed_generation: int = 0
    conditions: list[Condition] = field(default_factory=list)
    use: list[PoolUse] = field(default_factory=list)
    pending: NonNegative = 0
    admitted: NonNegative = 0
    top: list[QueueTop] = field(default_factory=list)
    share: str = ""
    decayed: JSON = field(default_factory=dict)
    budget: BudgetUse | None = None
    runtimes: JSON = field(default_factory=dict)


class Queue(Object, frozen=True, kw_only=True):
    """A share of the hardware, in a tree."""

    spec: QueueSpec = field(default_factory=QueueSpec)
    status: QueueStatus = field(default_factory=QueueStatus)


# --- Pool and Reservation ---------------------------------------------------------------------


class PoolSpec(Base, frozen=True, kw_only=True):
    """Nodes of one sort. `topologyLevels` are node labels from the widest to the nearest.

    `rates` is the pool's row of the rate table: cost units of one of each resource (a device, a
    core, a GiB). Quota, limits and budgets may be given in these units ("athanor.dev/units").
    """

    node_selector: dict[str, str] = field(default_factory=dict)
    topology_levels: list[str] = field(default_factory=list)
    exclusive: bool = True
    cost_per_hour: str = ""
    region: str = ""
    elastic: bool = False
    rates: Amounts = field(default_factory=dict)
    strategy: Literal["Binpack", "Spread"] = "Binpack"


class PoolStatus(Base, frozen=True, kw_only=True):
    """How many nodes, what they have and what is free."""

    observed_generation: int = 0
    conditions: list[Condition] = field(default_factory=list)
    nodes: NonNegative = 0
    capacity: Amounts = field(default_factory=dict)
    free: Amounts = field(default_factory=dict)


class Pool(Object, frozen=True, kw_only=True):
    """Nodes that are interchangeable for quota (elsewhere called a flavor)."""

    spec: PoolSpec = field(default_factory=PoolSpec)
    status: PoolStatus = field(default_factory=PoolStatus)


class ReservationSpec(Base, frozen=True, kw_only=True):
    """Capacity of a pool kept for some queues between two times: these nodes, or so much of it.

    `amounts` without `nodes` keep that much free for the queues, wherever it is; neither keeps the
    whole pool. `spares` are only for ranks that lost their node (see a Gang's `replace`).
    """

    pool: str = ""
    amounts: Amounts = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    spares: bool = False
    start: Time | None = None
    end: Time | None = None


class ReservationStatus(Base, frozen=True, kw_only=True):
    """Whether the capacity is held: not yet (Pending), now (Active), or no more (Expired)."""

    observed_generation: int = 0
    phase: Literal["", "Pending", "Active", "Expired", "Invalid"] = ""
    message: str = ""
    nodes: NonNegative = 0
    conditions: list[Condition] = field(default_factory=list)
    gang: ObjectReference | None = None


class Reservation(Object, frozen=True, kw_only=True):
    """Capacity kept for someone for a time."""

    spec: ReservationSpec = field(default_factory=ReservationSpec)
    status: ReservationStatus = field(default_factory=ReservationStatus)
