"""athanor delete: jobs by name, or objects of any kind."""

from __future__ import annotations

import sys

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.failures import DONE, each
from athanor.cli.verb import verb
from athanor.cli.verbs.get import resource_of
from athanor.cli.world import World

EXAMPLES = """\
athanor delete hello
athanor delete gang/hello pod/hello-worker-0
athanor delete --finished --yes"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument(
    "names", nargs=-1, metavar="[KIND/]NAME...", shell_complete=names_of("trainingjobs")
)
@click.option("--finished", is_flag=True, help="All jobs that succeeded or failed.")
@click.option("--all", "all_", is_flag=True, help="All jobs of the namespace.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(world: World, names: tuple[str, ...], finished: bool, all_: bool, yes: bool) -> int:
    """Delete jobs, or objects of any kind.

    What belongs to them (gang, pods, Services) goes too; running work stops.
    """
    wanted = list(names)
    if finished or all_:
        jobs = world.client.list_jobs()
        wanted += [
            job.metadata.name for job in jobs if all_ or job.status.phase in ("Succeeded", "Failed")
        ]
    elif not wanted:
        raise click.UsageError("name what is to be deleted, or say --finished or --all")
    if not wanted:
        show.note(f"nothing to delete in namespace {world.where}")
        return DONE
    if not yes:
        confirm(f"delete {', '.join(wanted)} from namespace {world.where}?")

    def delete(word: str) -> None:
        kind, slash, name = word.rpartition("/")
        resource = resource_of(kind if slash else "trainingjob")
        world.client.delete(resource, name)
        show.line(f"{resource.singular} {name} deleted")

    return each(wanted, delete)


def confirm(question: str) -> None:
    """Ask before something is lost. Without a terminal the answer is no: say --yes instead."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on; say --yes")
    click.confirm(question, abort=True)
