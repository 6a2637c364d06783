"""athanor restart: start all ranks of a job anew."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.failures import each
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor restart hello")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("trainingjobs")
)
def command(world: World, names: tuple[str, ...]) -> int:
    """Start all ranks of a job anew, in place.

    They keep their hardware and go on from their checkpoint; it costs no retry.
    """

    def restart(name: str) -> None:
        world.client.restart(name)
        show.line(f"trainingjob {name} is being restarted")

    return each(names, restart)
