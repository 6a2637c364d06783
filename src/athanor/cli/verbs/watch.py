"""athanor watch: jobs on a live screen."""

from __future__ import annotations

import shutil
import sys
import time

import click

from athanor.cli import live, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

ROWS = 200
"""Jobs that are looked at: those that run first, then those that wait."""


@verb(namespace=True, examples="athanor watch\nathanor watch digits\nathanor watch -A")
@click.argument("name", default="", shell_complete=names_of("trainingjobs"))
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("--every", default=2.0, show_default=True, type=click.FloatRange(min=0.2),
              metavar="S", help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look once and end.")
def command(world: World, name: str, everywhere: bool, every: float, once: bool) -> None:
    """Watch all jobs, or the ranks of one, until Ctrl-C.

    Where no terminal is it looks once.
    """
    screen = live.Screen(sys.stdout)
    while sys.stdout.isatty() and not once:
        size = shutil.get_terminal_size()
        lines = _screen(world, name, everywhere).splitlines()
        screen.draw([line[: size.columns] for line in lines[: size.lines - 1]])
        time.sleep(every)
    show.line(_screen(world, name, everywhere))


def _screen(world: World, name: str, everywhere: bool) -> str:
    import contextlib
    import io

    from athanor.cli.verbs import list_, top

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if name:
            list_.show_jobs(world, [world.client.job(name)], everywhere=False)
            show.line("")
            top.show_ranks(world, name)
        else:
            jobs = world.client.job_lines(everywhere=everywhere)
            order = {"Running": 0, "Starting": 1, "Restarting": 1, "Queued": 2, "Pending": 3}
            jobs.sort(key=lambda job: order.get(job.status.phase, 4))
            list_.show_jobs(world, jobs[:ROWS], everywhere=everywhere)
    return said.getvalue().rstrip()
