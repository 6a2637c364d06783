"""athanor prioritize: give a job another priority."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor prioritize hello high")
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.argument("priority", metavar="CLASS")
def command(world: World, name: str, priority: str) -> None:
    """Give a job another PriorityClass.

    athanor get priorityclasses lists them.
    """
    world.client.prioritize(name, priority)
    show.line(f"trainingjob {name} has priority {priority}")
