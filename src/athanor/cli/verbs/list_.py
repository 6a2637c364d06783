"""athanor list: jobs, what they do and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import click

from athanor.api.training import JobPhase
from athanor.cli import overview, show
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.training import TrainingJob
    from athanor.sdk.listing import JobLine


@verb(
    namespace=True,
    output=True,
    examples="athanor list\nathanor list -A -o wide\nathanor list --phase Running -o name",
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("-l", "--selector", "labels", default="", help="Only jobs with these labels.")
@click.option("--phase", multiple=True, help="Only jobs in this phase; repeatable.",
              type=click.Choice(get_args(JobPhase), case_sensitive=False))  # fmt: skip
def command(world: World, everywhere: bool, labels: str, phase: tuple[str, ...]) -> None:
    """List jobs."""
    from athanor.api.meta import API_VERSION, to_manifest

    if world.output not in ("table", "wide"):
        items = [
            {"apiVersion": API_VERSION, "kind": "TrainingJob", **to_manifest(job)}
            for job in world.client.list_jobs(everywhere=everywhere, labels=labels)
            if not phase or job.status.phase in phase
        ]
        show.document(world, {"apiVersion": "v1", "kind": "List", "items": items})
        return
    jobs = world.client.job_lines(everywhere=everywhere, labels=labels)
    jobs = [job for job in jobs if not phase or job.status.phase in phase]
    if not jobs:
        hint = "athanor submit --help shows how to start one"
        show.nothing(world, "jobs", hint, everywhere=everywhere)
        return
    show_jobs(world, jobs, everywhere=everywhere)


def show_jobs(world: World, jobs: Sequence[TrainingJob | JobLine], *, everywhere: bool) -> None:
    """Print jobs as a table."""
    wide = world.output == "wide"
    head = (
        (["NAMESPACE"] if everywhere else [])
        + overview.HEAD
        + (["ATTEMPT", "MESSAGE"] if wide else [])
    )
    show.rows(head, overview.rows(world, jobs, everywhere, wide))
