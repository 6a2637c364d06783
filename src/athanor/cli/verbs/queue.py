"""athanor queue: queues, their quota and their use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.scheduling import Queue

EXAMPLES = "athanor queue\nathanor queue list\nathanor queue get default -o yaml"


class Queues(click.Group):
    """A bare `athanor queue`, and one with a queue's name, is `athanor queue list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words, beginning with a verb."""
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=Queues, epilog="\b\nExamples:\n" + "".join(f"  {line}\n" for line in EXAMPLES.splitlines())
)
def command() -> None:
    """Show queues, their quota and their use."""


@verb(output=True, examples="athanor queue list\nathanor queue list default")
@click.argument("name", required=False, default="")
def list_(world: World, name: str) -> None:
    """Show all queues, or one: of each pool what is used, deserved and the limit."""
    show_queues(world, name)


@verb(output=True, examples="athanor queue get default\nathanor queue get default -o yaml")
@click.argument("name")
def get(world: World, name: str) -> None:
    """Show one queue."""
    show_queues(world, name)


command.add_command(list_, "list")
command.add_command(get, "get")


def show_queues(world: World, name: str = "") -> None:
    """All queues (or one) as is asked for: a table, JSON, YAML or names."""
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
