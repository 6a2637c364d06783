"""athanor queue: queues, their quota and their use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.scheduling import Queue

EXAMPLES = "athanor queue\nathanor queue default\nathanor queue -o yaml"


@verb(output=True, examples=EXAMPLES)
@click.argument("name", required=False, default="")
def command(world: World, name: str) -> None:
    """Show queues, their quota and their use."""
    from athanor.api.registry import find

    kind = find("queues")
    assert kind is not None
    if world.output not in ("table", "wide"):
        found = world.client.get(kind, name) if name else world.client.list(kind)
        show.document(world, found)
        return
    print_queues(world, name)


def print_queues(world: World, name: str = "") -> None:
    """All queues (or one) as a table: of each pool what is used, deserved and the limit."""
    import msgspec

    from athanor.api.registry import find
    from athanor.api.scheduling import Queue

    kind = find("queues")
    assert kind is not None
    items = [world.client.get(kind, name)] if name else world.client.list(kind).get("items", [])
    queues = [msgspec.convert(item, Queue) for item in items]
    rows = [row for queue in sorted(queues, key=_by_name) for row in _rows(queue)]
    if not rows:
        show.note("no queues")
        return
    head = ["QUEUE", "POOL", "RESOURCE", "USED", "GUARANTEED", "DESERVED", "LIMIT", "WAITING"]
    show.rows(head, rows)


def _by_name(queue: Queue) -> str:
    return queue.metadata.name


def _rows(queue: Queue) -> list[list[str]]:
    used = {use.pool: use.used for use in queue.status.use}
    rows: list[list[str]] = []
    for quota in queue.spec.pools:
        mine = used.get(quota.pool, {})
        names = {**quota.guaranteed, **quota.deserved, **quota.limit, **mine}
        rows += [
            [
                queue.metadata.name, quota.pool, resource, str(mine.get(resource, "0")),
                str(quota.guaranteed.get(resource, "-")), str(quota.deserved.get(resource, "-")),
                str(quota.limit.get(resource, "-")), str(queue.status.pending),
            ]
            for resource in sorted(names)
        ]  # fmt: skip
    if not rows:
        name, waiting = queue.metadata.name, str(queue.status.pending)
        rows.append([name, "-", "-", "0", "-", "-", "-", waiting])
    return rows
