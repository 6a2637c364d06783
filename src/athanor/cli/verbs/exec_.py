"""athanor exec: a command in a rank of a job."""

from __future__ import annotations

import click

from athanor.cli import reach
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor exec digits -- nvidia-smi
athanor exec digits --rank worker-1 -it -- bash"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND [ARGS]...")
@click.option("--rank", default="", help="Which rank: 1 or worker-1 [the first].")
@click.option("-i", "--stdin", is_flag=True, help="Pass our input on.")
@click.option("-t", "--tty", is_flag=True, help="On a terminal.")
def command(
    world: World, name: str, words: tuple[str, ...], rank: str, stdin: bool, tty: bool
) -> int:
    """Run a command in a rank of a job; its exit code is ours."""
    pod = reach.ranks_of(world, name, rank)[0]
    return reach.interact(world, pod, "exec", words, stdin=stdin, tty=tty)
