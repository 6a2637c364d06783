"""athanor wait: until a job has finished, runs, or is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.failures import FAILED, TIMEOUT
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.sdk.jobs import Until

EXAMPLES = """\
athanor wait hello
athanor wait hello --for running --timeout 1m
athanor wait                                   # the only job, or the newest"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=names_of("trainingjobs"))
@click.option(
    "--for", "until", default="finished", show_default=True,
    type=click.Choice(["finished", "succeeded", "running", "queued", "suspended", "deleted"]),
)  # fmt: skip
@click.option("--timeout", metavar="TIME", help="Give up after, for instance, 10m (exit code 5).")
def command(world: World, names: tuple[str, ...], until: Until, timeout: str | None) -> int:
    """Wait until a job has finished, runs, or is gone.

    Exits with 1 when a job failed and can no longer become what was waited for.
    """
    from athanor.kit.clock import SystemClock
    from athanor.kit.spans import parse_span
    from athanor.sdk.jobs import WaitTimeout

    try:
        limit = None if timeout is None else parse_span(timeout)
    except ValueError as wrong:
        raise click.UsageError(f"--timeout: {wrong}") from None
    clock = SystemClock()
    end = None if limit is None else clock.monotonic() + limit
    code = 0
    for name in names or (newest(world),):
        left = None if end is None else max(0.0, end - clock.monotonic())
        try:
            job = world.client.wait(name, until=until, timeout=left)
        except WaitTimeout as late:
            show.note(f"{late}; athanor why {name} tells why")
            return TIMEOUT
        show.line(f"{name} is {'gone' if until == 'deleted' else job.status.phase}")
        if until != "deleted" and job.status.phase == "Failed":
            show.note(f"athanor why {name} tells why")
            code = FAILED
    return code


def newest(world: World) -> str:
    """The name of the job that was created last. Raises UsageError when there is none."""
    jobs = world.client.job_lines()
    if not jobs:
        raise click.UsageError(f"there are no jobs in namespace {world.where}; name one")
    return jobs[-1].metadata.name
