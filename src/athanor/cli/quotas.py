"""What verbs must not do to the tree of queues: make one invalid that is valid now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from athanor.cli import shared, show
from athanor.cli.failures import Failure
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON


def check(
    world: World, *, queues: Mapping[str, JSON | None] | None = None, pools: Collection[str] = ()
) -> None:
    """Refuse a change of `queues` (None: deleted), or the deletion of `pools`, by the field's name.

    Guarantees beyond what a pool has now are only told: it may grow. Raises Failure.
    """
    import msgspec

    from athanor.api.scheduling import Pool, Queue
    from athanor.features.scheduling.queues import OVER_POOL, capacities, problems

    there = {kind: world.client.list(shared.kind_of(kind))["items"] for kind in ("queues", "pools")}
    now = {queue.metadata.name: queue for queue in msgspec.convert(there["queues"], list[Queue])}
    changed = queues or {}
    then = {name: queue for name, queue in now.items() if name not in changed} | {
        name: msgspec.convert(queue, Queue) for name, queue in changed.items() if queue is not None
    }
    room = capacities(msgspec.convert(there["pools"], list[Pool]))
    left = {name: has for name, has in room.items() if name not in pools}
    before, after = problems(list(now.values()), room), problems(list(then.values()), left)
    new = {name: problem for name, problem in after.items() if before.get(name) != problem}
    for wrong, problem in sorted(new.items(), key=lambda one: one[0] not in changed):
        if problem.reason != OVER_POOL:
            raise Failure(
                f"queue {wrong} would not be valid: {problem.message}",
                hint="athanor queue tree and athanor pool list show what there is",
            )
    for name in changed:
        if name in new:
            show.note(f"queue {name}: {new[name].message}; they cannot all be kept until it grows")
