"""By which rules a cycle decides (`Policy`), and what it decided: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from athanor.features.scheduling.core.table import Floats, Ints, Smalls


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of a cycle; the defaults are the shipped policy `default`. Seconds, unless said.

    `score`: how nodes are compared: `fgd` (fragmentation gradient where there are devices, else
    best fit), `bestfit` or `spread`. `reserved`: how many blocked gangs a queue's line may hold
    reservations for. `assumed_runtime` stands in for gangs that say nothing. `resize_every`: a gang
    that starts again at another size grows no sooner after it last changed. `timeshare`: running
    gangs make way for others by the rules of `core.timeshare`, but each runs for `turn` first;
    `round`: seconds after which a changed order is worth a look though nothing else happened.
    """

    name: str = "default"
    score: str = "fgd"
    half_life: float = 7 * 86400.0
    entry_penalty: float = 60.0
    reserved: int = 1
    reserve_after: float = 600.0
    assumed_runtime: float = 86400.0
    grace: float = 30.0
    max_evictions: int = 64
    resize_every: float = 600.0
    search_steps: int = 20000
    timeshare: bool = False
    turn: float = 600.0
    round: float = 14400.0

    def with_(self, **changes: object) -> Policy:
        """This policy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


DEFAULT = Policy()
TIMESHARE = Policy(name="timeshare", timeshare=True, score="bestfit")
"""For clusters whose gangs can be stopped and resumed at little cost."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where the pods of one pod set go, one entry a rank. `devices` are bit masks of slots."""

    pod_set: int
    nodes: Smalls
    devices: Ints
    slots: Smalls


@dataclass(frozen=True, kw_only=True)
class Admit:
    """A gang starts now, in this pool, at these places."""

    gang: int
    pool: int
    placed: tuple[Placed, ...]
    expected_end: float


@dataclass(frozen=True, kw_only=True)
class Eviction:
    """A running gang has to go by `deadline` so that gang `by` can run."""

    gang: int
    by: int
    reason: str
    message: str
    deadline: float


@dataclass(frozen=True, kw_only=True)
class Shrink:
    """The last ranks of a running gang have to go by `deadline`: `counts` stay, a set each."""

    gang: int
    counts: tuple[int, ...]
    by: int
    reason: str
    message: str
    deadline: float


@dataclass(frozen=True, kw_only=True)
class Move:
    """A running gang gets these places as a whole: it grows, or lost ranks are replaced."""

    gang: int
    placed: tuple[Placed, ...]
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Capacity promised to a blocked gang from `start` on (infinite: no end is in sight)."""

    gang: int
    pool: int
    start: float


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why a gang waits: a `core.why.Code` by name, a sentence with the numbers, and the numbers."""

    code: str
    message: str
    details: tuple[tuple[str, int | float | str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a cycle decided. `line` lists waiting gangs in the order they were considered.

    `moved` gangs grew or had ranks replaced. `committed` GPU-hours
    are promised to running gangs, a queue each. `held_in_pool` is what gangs use of each pool.
    `reasons[g]` is an index into `whys` for each gang (UNSET: it does not wait). `use` and
        `share` are those after the admissions; `decayed` is past use as of `now`.
    """

    now: float
    admitted: tuple[Admit, ...]
    evicted: tuple[Eviction, ...]
    held: tuple[Hold, ...]
    line: Smalls
    reasons: Smalls
    whys: tuple[tuple[Why, ...], ...]
    use: Ints
    held_in_pool: Ints
    share: Floats
    decayed: Floats
    shrunk: tuple[Shrink, ...] = ()
    moved: tuple[Move, ...] = ()
    committed: tuple[float, ...] = ()

    def why(self, gang: int) -> tuple[Why, ...]:
        """Why this gang waits; empty when it does not."""
        index = int(self.reasons[gang])
        return self.whys[index] if index >= 0 else ()
