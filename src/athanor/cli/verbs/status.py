"""athanor status: the processes, the machine, the jobs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from athanor.cli import overview, paint, show
from athanor.cli.failures import UNREACHABLE, is_absent
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON


@verb(namespace=True, output=True, examples="athanor status\nathanor status -o json")
def command(world: World) -> int:
    """Show what runs, where, and what is free."""
    from athanor.wire.status import ApiError

    said = overview.parts(world)
    try:
        said.update(overview.cluster(world))
        if not world.is_ours and (found := overview.controllers(world)) is not None:
            said["controllers"] = found
    except ApiError as away:
        if is_absent(away):
            raise
        said["problem"] = away.message
    if world.output in ("json", "yaml"):
        show.document(world, said)
    else:
        _print(world, said)
    return UNREACHABLE if "problem" in said else 0


def _print(world: World, said: JSON) -> None:
    word = paint.paint("up", paint.GREEN, sys.stdout) if said["up"] else "down"
    if world.is_ours:
        show.line(f"platform   {word}, data in {said['data']}")
    rows = [
        [
            f"  {part['name']}",
            "ready" if part["ready"] and part["running"] else "not ready",
            f"process {part['pid']}",
            f"{part['memoryMiB']} MiB",
            f"{part['restarts']} restarts" if part["restarts"] else "",
        ]
        for part in said["processes"]
    ]
    if world.is_ours:
        show.rows([], rows)
    if "problem" in said:
        show.line(f"server     {said['problem']}")
        if world.is_ours:
            show.note("  try: athanor up --detach")
        return
    show.line(f"server     {said['server']}, {said['kubeconfig']}")
    if "controllers" in said:
        _print_controllers(said["controllers"])
    if not said["nodesVisible"]:
        show.note("you may not see the nodes")
    for node in said["nodes"]:
        state = "ready" if node["ready"] else paint.paint("not ready", paint.RED, sys.stdout)
        state += ", cordoned" if node["cordoned"] else ""
        show.line(f"node       {node['name']}: {state}, {node['pods']} pods")
        for resource, amount in node["resources"].items():
            said_use = overview.use(resource, amount["asked"], amount["of"], node["simulated"])
            show.line(f"  {resource:<20} {said_use}")
    if not said["everybody"]:
        overview.only_ours(world)
    jobs = ", ".join(f"{n} {phase}" for phase, n in sorted(said["jobs"].items())) or "none"
    show.line(f"jobs       {jobs}")


def _print_controllers(found: JSON) -> None:
    where = found["namespace"]
    if found["leader"]:
        show.line(f"leader     {found['leader']} of the controllers, in namespace {where}")
        return
    none = paint.paint("no controller leads", paint.RED, sys.stdout)
    show.line(f"leader     {none}: kubectl -n {where} get pods")
