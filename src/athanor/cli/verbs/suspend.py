"""athanor suspend: stop a job and give its hardware back."""

from __future__ import annotations

import click

from athanor.cli import shared, show
from athanor.cli.complete import names_of
from athanor.cli.failures import each
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor suspend hello")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of("trainingjobs")
)
def command(world: World, names: tuple[str, ...]) -> int:
    """Stop a job and give its hardware back.

    Its processes get SIGTERM and their grace to write a checkpoint; athanor resume continues.
    """

    def suspend(name: str) -> None:
        before = shared.living(world, name)
        world.client.suspend(name)
        if before.spec.suspend and before.status.phase == "Suspended":
            show.line(f"trainingjob {name} is suspended already")
        else:
            show.line(f"trainingjob {name} is being suspended")

    return each(names, suspend)
