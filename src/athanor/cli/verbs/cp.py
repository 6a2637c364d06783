"""athanor cp: files to and from a rank of a job."""

from __future__ import annotations

import click

from athanor.cli import reach, show
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor cp digits:/tmp/trace.json .
athanor cp config.yaml digits:/tmp/ --rank 1"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("source")
@click.argument("target")
@click.option("--rank", default="", help="Which rank: 1 or worker-1 [the first].")
def command(world: World, source: str, target: str, rank: str) -> None:
    """Copy a file or folder to or from a rank of a job.

    One of both is written JOB:PATH; the rank needs tar.
    """
    (there, from_), (here, to) = _place(source), _place(target)
    if bool(there) == bool(here):
        raise click.UsageError("one of source and target is written JOB:PATH")
    pod = reach.ranks_of(world, there or here, rank)[0]
    carry, way = (reach.fetch, "from") if there else (reach.send, "to")
    count = carry(world, pod, from_, to)
    show.line(f"{count} bytes copied {way} {pod.metadata.name}")


def _place(word: str) -> tuple[str, str]:
    """`JOB:PATH` as its parts; a path alone has no job."""
    job, colon, path = word.partition(":")
    return (job, path) if colon and "/" not in job else ("", word)
