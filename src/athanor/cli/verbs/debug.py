"""athanor debug: jobs whose ranks start and wait, for a look around before they run."""

from __future__ import annotations

import click

from athanor.cli import show
from athanor.cli.complete import names_of
from athanor.cli.reach import ranks_of, run_in
from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor debug digits                   # a copy of the job that waits
athanor exec digits-debug -it -- bash  # look around in it
athanor debug digits-debug --run       # now let it run"""

GO = 'touch "${TMPDIR:-/tmp}/athanor-run-$ATHANOR_JOB-$ATHANOR_ROLE-$ATHANOR_RANK-$ATHANOR_ATTEMPT"'
"""The word that a waiting rank waits for (see the job's build)."""


@verb(namespace=True, examples=EXAMPLES)
@click.argument("name", shell_complete=names_of("trainingjobs"))
@click.option("--run", "go", is_flag=True, help="Let the waiting ranks run.")
@click.option("--rank", default="", help="Only this rank: 1 or worker-1.")
@click.option("--name", "copy", default="", help="Name of the copy [NAME-debug].")
def command(world: World, name: str, go: bool, rank: str, copy: str) -> int:
    """Start a copy of a job whose ranks wait; let them run.

    A job submitted with --debug waits by itself.
    """
    if not go:
        manifest = world.client.clone(name, copy or f"{name}-debug", changes={"debug": True})
        made = world.client.submit(manifest).metadata.name
        show.line(f"trainingjob {made} created; its ranks start and wait")
        show.note(f"  look   athanor exec {made} -it -- sh")
        show.note(f"  run    athanor debug {made} --run")
        return 0
    pods = ranks_of(world, name, rank)
    for pod in pods:
        run_in(world, pod, ["sh", "-c", GO])
    show.line(f"{len(pods)} {'rank' if len(pods) == 1 else 'ranks'} of {name} run now")
    return 0
