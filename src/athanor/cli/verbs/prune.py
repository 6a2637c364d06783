"""athanor prune: delete old finished jobs."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.failures import DONE, each
from athanor.cli.verb import verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

EXAMPLES = """\
athanor prune --yes
athanor prune --since 7d --phase Failed --yes
athanor prune -A --dry-run"""


@verb(namespace=True, examples=EXAMPLES)
@click.option("--since", default="1d", show_default=True, help="Finished at least this long ago.")
@click.option("--phase", type=click.Choice(["Succeeded", "Failed"]), help="Only these.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In all namespaces.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(
    world: World, since: str, phase: str | None, everywhere: bool, dry_run: bool, yes: bool
) -> int:
    """Delete jobs that finished a while ago, with their pods and logs."""
    from athanor.api.registry import of
    from athanor.api.training import TrainingJob
    from athanor.kit.spans import parse_span
    from athanor.kit.times import parse_rfc3339

    try:
        age = parse_span(since)
    except ValueError as wrong:
        raise click.UsageError(f"--since: {wrong}") from None
    now = world.clock.now()
    old = [
        job for job in world.client.list_jobs(everywhere=everywhere)
        if job.status.finished_at and now - parse_rfc3339(job.status.finished_at) >= age
        and phase in (None, job.status.phase)
    ]  # fmt: skip
    if not old:
        show.note("there is nothing that old")
        return DONE
    names = {f"{job.metadata.namespace}/{job.metadata.name}": job.metadata for job in old}
    if dry_run:
        for name in names:
            show.line(f"would delete {name}")
        return DONE
    if not yes:
        confirm(f"delete {', '.join(names)}?")

    def delete(name: str) -> None:
        meta = names[name]
        world.client.delete(of(TrainingJob), meta.name, namespace=meta.namespace)
        show.line(f"trainingjob {name} deleted")

    return each(names, delete)
