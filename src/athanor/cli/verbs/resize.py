"""athanor resize: give a job another number of ranks."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor resize digits 4
athanor resize digits 2:8              # other bounds of an elastic job
athanor resize digits 2 --role ps"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.argument("size", metavar="N or MIN:MAX")
@click.option("--role", default="", help="Which role [its workers].")
def command(world: World, name: str, size: str, role: str) -> None:
    """Give a job another number of ranks.

    It leaves with a checkpoint, queues for its new size, and goes on.
    """
    least, colon, most = size.partition(":")
    if not least.isdecimal() or (colon and not most.isdecimal()):
        raise click.UsageError(f"size {size!r}: write a number, or MIN:MAX")
    world.client.resize(name, int(least), most=int(most) if colon else None, role=role)
    show.line(f"trainingjob {name} is being resized to {size}")
