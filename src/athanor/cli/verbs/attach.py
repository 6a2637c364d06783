"""athanor attach: a rank's own input and output."""

from __future__ import annotations

import click

from athanor.cli import reach
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, examples="athanor attach hello\nathanor attach hello --rank 1")
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.option("--rank", default="", help="Which rank: 1 or worker-1 [the first].")
@click.option("-i", "--stdin", is_flag=True, help="Pass our input on (needs stdin: true).")
def command(world: World, name: str, rank: str, stdin: bool) -> int:
    """Follow what a running rank prints from now on, and pass input on.

    Ctrl-C lets go; the rank runs on.
    """
    pod = reach.ranks_of(world, name, rank)[0]
    return reach.interact(world, pod, "attach", (), stdin=stdin, tty=False)
