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

JOB = "trainingjob"
MOST = 8
"""So many claims are named in a question."""
EXAMPLES = """\
athanor delete hello
athanor delete hello --keep-data             # outputs and checkpoints stay
athanor delete gang/hello pod/hello-worker-0
athanor delete --finished --yes"""


@verb(namespace=True, examples=EXAMPLES)
@click.argument(
    "names", nargs=-1, metavar="[KIND/]NAME...", shell_complete=names_of("trainingjobs")
)
@click.option("--finished", is_flag=True, help="All jobs that succeeded or failed.")
@click.option("--all", "all_", is_flag=True, help="All jobs of the namespace.")
@click.option(
    "--keep-data", is_flag=True,
    help="Leave the claims of jobs, with their outputs and checkpoints (on a cluster).",
)  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(
    world: World, names: tuple[str, ...], finished: bool, all_: bool, keep_data: bool, yes: bool
) -> int:
    """Delete jobs, or objects of any kind.

    What belongs to them (gang, pods, Services) goes too; running work stops. On a cluster a job's
    outputs and checkpoints are in its claim NAME-checkpoints, which goes as well without
    --keep-data. With it, a later job of that name finds them again.
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
        data = "" if keep_data else _data(world, wanted)
        confirm(f"delete {', '.join(wanted)} from namespace {world.where}{data}?")

    def delete(word: str) -> None:
        kind, slash, name = word.rpartition("/")
        resource = resource_of(kind if slash else JOB)
        kept = world.client.keep_data(name) if keep_data and resource.singular == JOB else []
        world.client.delete(resource, name)
        stays = f"; claim {', '.join(kept)} stays" if kept else ""
        show.line(f"{resource.singular} {name} deleted{stays}")

    return each(wanted, delete)


def _data(world: World, words: list[str]) -> str:
    """The claims that go with jobs, and what is in them, for the question."""
    said = [word.rpartition("/") for word in words]
    jobs = {
        name for kind, slash, name in said if resource_of(kind if slash else JOB).singular == JOB
    }
    claims = world.client.job_claims() if jobs else {}
    gone = sorted(claim for job in jobs for claim in claims.get(job, ()))
    if not gone:
        return ""
    more = f" and {len(gone) - MOST} more" if len(gone) > MOST else ""
    named = ", ".join(gone[:MOST]) + more
    return f", with outputs and checkpoints in {named} (--keep-data leaves them)"


def confirm(question: str) -> None:
    """Ask before something is lost. Without a terminal the answer is no: say --yes instead."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on; say --yes")
    click.confirm(question, abort=True)
