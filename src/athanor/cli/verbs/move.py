"""athanor move: put a job into another queue."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor move hello speech")
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.argument("queue", shell_complete=names_of("queues"))
def command(world: World, name: str, queue: str) -> None:
    """Put a waiting or suspended job into another queue."""
    world.client.move(name, queue)
    show.line(f"trainingjob {name} is in queue {queue}")
