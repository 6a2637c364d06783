"""athanor clone: run a job again, under another name and with changes."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor clone digits --name digits-2
athanor clone digits --queue speech --priority high
athanor clone digits --dry-run -o yaml"""


@verb(namespace=True, output=True, examples=EXAMPLES)
@click.argument("job", shell_complete=names_of("trainingjobs"))
@click.option("--name", default="", help="Name of the new job [made up].")
@click.option("--queue", default="", help="Another queue.")
@click.option("--priority", default="", help="Another PriorityClass.")
@click.option("--suspended", is_flag=True, help="Create it, but do not queue it yet.")
@click.option("--debug", is_flag=True, help="Ranks start and wait for athanor debug NAME --run.")
@click.option("--dry-run", is_flag=True, help="Print what would be created.")
def command(
    world: World, job: str, name: str, queue: str, priority: str, suspended: bool, debug: bool,
    dry_run: bool,
) -> None:  # fmt: skip
    """Run a job again, under another name and with changes."""
    from athanor.kit.ids import RandomIds

    scheduling = {"queue": queue, "priorityClassName": priority}
    said = {key: value for key, value in scheduling.items() if value}
    changes = {"scheduling": said, "suspend": suspended, "debug": debug}
    to = name or f"{job[:38]}-{RandomIds().suffix()}"
    manifest = world.client.clone(job, to, changes=changes)
    if dry_run:
        if world.output in ("table", "wide"):
            world.output = "yaml"
        show.document(world, manifest)
        return
    made = world.client.submit(manifest)
    show.created(world, made)
