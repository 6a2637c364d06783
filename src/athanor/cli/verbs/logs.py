"""athanor logs: the lines of all ranks, merged by time, prefixed and coloured by rank."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import paint, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.sdk.logs import LogLine

EXAMPLES = """\
athanor logs -f hello
athanor logs hello --rank 1 --tail 20
athanor logs hello --since 10m --timestamps
athanor logs hello --search 'loss|error' --tail 5"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has finished.")
@click.option("--rank", default="", help="Only this rank: 1 or worker-1.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines of each rank.")
@click.option("--since", metavar="TIME", help="Only lines younger than, for instance, 10m.")
@click.option("--search", default="", metavar="REGEX", help="Only lines that contain this.")
@click.option("--timestamps", is_flag=True, help="Show each line's time.")
@click.option("--previous", is_flag=True, help="Of the container's run before this one.")
@click.option("--no-prefix", is_flag=True, help="Without the rank before each line.")
def command(world: World, name: str, follow: bool, since: str | None, **how: Any) -> None:
    """Print or follow the log of all ranks of a job.

    Of its earlier attempts, too, and after its pods are gone, as long as athanor gc leaves them.
    """
    from athanor.kit.spans import parse_span
    from athanor.sdk.logs import Wish

    try:
        seconds = parse_span(since) if since else None
    except ValueError as wrong:
        raise click.UsageError(f"--since: {wrong}") from None
    wish = Wish(
        since_seconds=seconds, **{key: how[key] for key in ("rank", "tail", "previous", "search")}
    )
    lines = world.client.logs(name, follow=follow, wish=wish)
    try:
        printed = print_lines(lines, timestamps=how["timestamps"], prefix=not how["no_prefix"])
    except ValueError as wrong:
        raise click.UsageError(f"--{wrong}") from None
    if printed or follow:
        return
    if wish != Wish():
        show.note(f"no such lines; athanor logs {name} shows all there are")
    else:
        show.note(f"{name} has written nothing; athanor why {name} tells how it is")


def print_lines(lines: Iterable[LogLine], *, timestamps: bool = False, prefix: bool = True) -> int:
    """Print lines as they come; returns how many."""
    heads: dict[str, str] = {}
    out = sys.stdout
    count = 0
    for line in lines:  # thousands a second: what can be done once is done once
        count += 1
        if prefix and line.rank not in heads:
            colour = paint.RANK_COLOURS[len(heads) % len(paint.RANK_COLOURS)]
            heads[line.rank] = paint.paint(f"[{line.rank}]", colour, out) + " "
        head = heads[line.rank] if prefix else ""
        text = f"{line.time} {line.text}" if timestamps else line.text
        out.write(f"{head}{text}\n")
        out.flush()
    return count
