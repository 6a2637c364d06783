"""A controller as data: which kinds it watches, what it observes for a key, what it plans.

Pure values; `athanor.runtime.loop` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

from athanor.api.meta import Object
from athanor.runtime.cache import Changed, Index, Key, Trim, World, key_of
from athanor.runtime.plan import Plan

T = TypeVar("T")
O = TypeVar("O", bound=Object)  # noqa: E741 - O for object


def itself(change: Changed[Any], world: World) -> Iterable[Key]:
    """The key of the changed object: for the kind that a controller is about."""
    return (key_of(change.newest),)


class Watch(Struct, Generic[O], frozen=True):
    """A kind to follow: which keys of the controller each change concerns, and lookups wanted.

    `settle` seconds pass between a change and the look at its keys: changes come in flocks. `trim`
    is for the owner of what it takes away: all controllers of the process see what is left. So is
    `labels`, a selector: what it does not fit is not followed.
    """

    view: type[O]
    keys: Callable[[Changed[O], World], Iterable[Key]] = itself
    indexes: Mapping[str, Index[O]] = field(default_factory=dict)
    settle: float = 0.0
    trim: Trim[O] | None = None
    labels: str = ""


class Controller(Struct, Generic[T], frozen=True, kw_only=True):
    """One loop. `observe` reads caches only and gives None when there is nothing to look at.

    `plan(observed, now)` is pure; `now` is in seconds since the epoch. `settle` is the least of
    all its watches'. After a look at a key that took t seconds, changes that settle wait
    `rest` × t while more of them come, `longest_rest` seconds at most: what looks cost stays a part
    of the time, and the more there is to look at, the more is looked at together.
    """

    name: str
    watches: tuple[Watch[Any], ...]
    observe: Callable[[World, Key], T | None]
    plan: Callable[[T, float], Plan]
    settle: float = 0.0
    rest: float = 0.0
    longest_rest: float = 60.0
    together: int = 16
