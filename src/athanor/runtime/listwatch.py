"""List, then watch, for ever: the protocol of following a collection, as a table without I/O.

A driver (`athanor.runtime.following`) tells the machine what happened and does what it answers. The
resourceVersion is opaque; all that is known of order is the server's (Kubernetes, API concepts:
"Efficient detection of changes"). Objects and caches are the driver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

State = Literal["listing", "watching", "rest-then-list", "rest-then-watch"]
Input = Literal[
    "page", "listed", "change", "bookmark", "closed", "silent", "expired", "failed", "rested"
]

TABLE: Mapping[tuple[State, Input], State] = {
    ("listing", "page"): "listing",  # more pages follow
    ("listing", "listed"): "watching",
    ("listing", "expired"): "rest-then-list",  # the continue token is too old: start over
    ("listing", "failed"): "rest-then-list",
    ("watching", "change"): "watching",
    ("watching", "bookmark"): "watching",
    ("watching", "closed"): "rest-then-watch",  # servers end watches now and then: resume
    ("watching", "silent"): "rest-then-watch",  # dead, or nothing to tell: resume
    ("watching", "expired"): "rest-then-list",  # 410: what was missed is lost, only a list helps
    ("watching", "failed"): "rest-then-watch",
    ("rest-then-list", "rested"): "listing",
    ("rest-then-watch", "rested"): "watching",
}
"""(state, input) → state. A pair that is missing is the driver's error."""

FIRST_REST = 0.1
LONGEST_REST = 30.0


class List(Struct, frozen=True):
    """Do: ask for a page. `token` continues a list; "" starts one."""

    token: str = ""


class Watch(Struct, frozen=True):
    """Do: watch from this revision on."""

    revision: str


class Rest(Struct, frozen=True):
    """Do: wait so many seconds, then say `rested`."""

    seconds: float


class Read(Struct, frozen=True):
    """Do: read on from the watch that is open."""


Command = List | Watch | Rest | Read


class Said(Struct, frozen=True, kw_only=True):
    """What happened. `revision` comes with listed, change and bookmark; `token` with page.

    `jitter` in [0, 1) spreads rests (the driver's dice); `retry_after` is the server's own wish.
    """

    input: Input
    revision: str = ""
    token: str = ""
    jitter: float = 0.0
    retry_after: float = 0.0


class Machine(Struct, frozen=True, kw_only=True):
    """Where the protocol stands. `failures` counts troubles since the last good news."""

    state: State = "listing"
    revision: str = ""
    token: str = ""
    failures: int = 0


class OutOfTurn(Exception):
    """The driver said something that cannot happen in this state."""


def start() -> tuple[Machine, Command]:
    """A machine that knows nothing, and its first command."""
    return Machine(), List()


def step(machine: Machine, said: Said) -> tuple[Machine, Command]:
    """What the machine becomes, and what to do next. Raises OutOfTurn."""
    state = TABLE.get((machine.state, said.input))
    if state is None:
        raise OutOfTurn(f"{said.input!r} cannot happen while {machine.state}")
    moved = _remember(machine, said, state)
    return moved, _command(machine, moved, said)


def _remember(machine: Machine, said: Said, state: State) -> Machine:
    replace = msgspec.structs.replace
    match said.input:
        case "page":
            return replace(machine, state=state, token=said.token)
        case "listed":
            return replace(machine, state=state, token="", revision=said.revision)
        case "change" | "bookmark":
            revision = said.revision or machine.revision
            return replace(machine, state=state, revision=revision, failures=0)
        case "silent":  # not every server sends bookmarks where nothing changes
            return replace(machine, state=state, failures=0)
        case "rested":
            return replace(machine, state=state)
        case "closed" | "expired" | "failed":
            return replace(machine, state=state, token="", failures=machine.failures + 1)


def _command(before: Machine, after: Machine, said: Said) -> Command:
    match after.state:
        case "listing":
            return List(after.token)
        case "watching":
            return Read() if before.state == "watching" else Watch(after.revision)
        case "rest-then-list" | "rest-then-watch":
            failures = min(before.failures, after.failures)
            return Rest(rest(failures, said.jitter, said.retry_after))


def rest(failures: int, jitter: float, retry_after: float = 0.0) -> float:
    """Seconds before the next try after `failures` earlier ones: doubling, spread by a half."""
    wait = min(FIRST_REST * 2.0 ** min(failures, 16), LONGEST_REST)
    return max(wait * (1 - jitter / 2), retry_after)
