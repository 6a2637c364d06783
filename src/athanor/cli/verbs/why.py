"""athanor why: why a job waits or failed, with the evidence and the way out."""

from __future__ import annotations

import sys

import click

from athanor.cli import paint, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.get import resource_of
from athanor.cli.world import World

KINDS = ("trainingjobs", "gangs", "workspaces", "sweeps", "workflows", "crons")


@verb(namespace=True, output=True, examples="athanor why hello\nathanor why hello -o json")
@click.argument("name", metavar="[KIND/]NAME", shell_complete=names_of("trainingjobs"))
def command(world: World, name: str) -> None:
    """Explain why a job waits or failed, and what would help.

    Of a workspace, sweep, workflow, cron or gang, too, by its name; of pods of other controllers
    (schedulerName: athanor) by theirs, or by that of the Job, Deployment or RayCluster.
    """
    said = world.client.why(_name_of(name))
    if world.output in ("json", "yaml"):
        import msgspec

        show.document(world, msgspec.to_builtins(said))
        return
    phase = paint.paint(said.phase, paint.PHASE_COLOURS.get(said.phase, "0"), sys.stdout)
    show.line(f"{said.name} is {phase}: {said.headline}")
    for line in said.more():
        show.line(line)


def _name_of(word: str) -> str:
    """The name alone: one is looked for among all the kinds that can be explained."""
    kind, slash, name = word.rpartition("/")
    if slash and resource_of(kind).plural not in KINDS:
        raise click.UsageError(f"athanor why explains {', '.join(KINDS)}; kubectl describe {word}")
    return name
