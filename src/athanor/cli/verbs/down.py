"""athanor down: end the platform of the data directory, and nothing else."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor down\nathanor down --data /srv/athanor --yes")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, even when jobs are running.")
def command(world: World, yes: bool) -> None:
    """Stop the platform on this machine.

    Running pods end; their jobs go on from their checkpoints at the next athanor up.
    """
    from athanor.assembly import start
    from athanor.assembly.layout import DataDir

    data = DataDir(world.data)
    if not yes:
        _ask(world)
    ended = start.down(data)
    if ended:
        show.line(f"athanor is down ({data.root})")
    else:
        show.note(f"nothing was running in {data.root}")


def _ask(world: World) -> None:
    """On a terminal, ask when jobs would lose work."""
    import sys

    from athanor.cli.failures import Failure
    from athanor.wire.status import ApiError

    if not sys.stdin.isatty():
        return
    try:
        jobs = world.client.list_jobs(everywhere=True)
    except (ApiError, Failure):
        return
    running = [job.metadata.name for job in jobs if job.status.phase == "Running"]
    if running:
        click.confirm(f"{len(running)} jobs are running; stop anyway?", abort=True)
