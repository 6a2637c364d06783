"""athanor resume: put a suspended job back into its queue."""

from __future__ import annotations

import click

from athanor.cli import shared, show
from athanor.cli.complete import names_of
from athanor.cli.failures import each
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor resume hello")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("trainingjobs")
)
def command(world: World, names: tuple[str, ...]) -> int:
    """Put a suspended job back into its queue."""

    def resume(name: str) -> None:
        before = shared.living(world, name)
        world.client.resume(name)
        if before.spec.suspend:
            show.line(f"trainingjob {name} is queued again")
        else:
            show.line(f"trainingjob {name} is not suspended: it is {before.status.phase}")

    return each(names, resume)
