"""athanor gc: what nothing needs any more."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = "athanor gc --dry-run\nathanor gc --older 7d --logs 90d --yes"


@verb(examples=EXAMPLES)
@click.option("--older", default="1d", show_default=True, help="Only what is older than this.")
@click.option("--logs", default="30d", show_default=True, metavar="TIME",
              help="Of logs whose pods are gone: only what is older than this.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(world: World, older: str, logs: str, dry_run: bool, yes: bool) -> None:
    """Delete what nothing needs any more: overlays, logs, leftovers.

    That is: files, logs and checkpoints of pods and jobs that were deleted, uploaded code that no
    job names, claims without an object, environments that no pod used. The server must be up, to
    say what is still needed.
    """
    from athanor.assembly import garbage
    from athanor.assembly.layout import DataDir
    from athanor.cli.verbs.delete import confirm
    from athanor.kit.spans import parse_span

    try:
        ages = garbage.Ages(parse_span(older), parse_span(logs))
    except ValueError as wrong:
        raise click.UsageError(f"--older, --logs: {wrong}") from None
    data, now = DataDir(world.data), world.clock.now()
    waste = garbage.find_waste(data, garbage.needed(world.client), now, ages)
    waste += garbage.overlays(data, now, ages.older)
    if not waste:
        show.note(f"nothing to delete in {data.root}")
        return
    show.rows(
        ["WHAT", "SIZE", "WHERE"],
        [[item.what, f"{item.size / (1 << 20):.1f} MiB", str(item.path)] for item in waste],
    )
    if dry_run:
        return
    if not yes:
        confirm(f"delete these {len(waste)}?")
    freed = garbage.delete(waste)
    show.line(f"{freed / (1 << 20):.1f} MiB freed")
