"""athanor top: who uses what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import overview, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.pool import mark, simulated
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.training import TrainingJob

EXAMPLES = """\
athanor top
athanor top job digits
athanor top node -o json
athanor top queue
athanor top gpu"""


@verb(namespace=True, output=True, examples=EXAMPLES)
@click.argument("what", type=click.Choice(["job", "node", "queue", "gpu"]), default="job")
@click.argument("name", default="", shell_complete=names_of("trainingjobs"))
def command(world: World, what: str, name: str) -> None:
    """Show who uses what: jobs, nodes, GPUs or queues.

    Of one job by its name: what each of its ranks uses, as measured.
    """
    if name:
        if what != "job":
            raise click.UsageError(f"a name is for jobs: athanor top job {name}")
        show_ranks(world, name)
        return
    {"job": _jobs, "node": _nodes, "queue": _queues, "gpu": _gpus}[what](world)


def _jobs(world: World) -> None:
    """Jobs that hold hardware, by what they asked for."""
    anybody = world.namespace is None
    found, everybody = overview.widest(
        lambda all_: world.client.list_jobs(everywhere=all_ and anybody)
    )
    jobs = [job for job in found if job.status.phase in ("Starting", "Running", "Restarting")]
    if world.output in ("json", "yaml"):
        show.document(world, _documents(jobs))
        return
    if not everybody:
        overview.only_ours(world)
    if not jobs:
        show.note("no job holds hardware")
        return
    marked = any(_has_gpus(job) for job in jobs) and simulated(world)
    rows = []
    for job in jobs:
        asked = _asked(job.spec.roles)
        ran = show.age(world, job.status.started_at)
        rows.append([
            job.metadata.namespace, job.metadata.name, job.status.phase,
            ", ".join(f"{n:g} {name}{mark(name, marked)}" for name, n in asked.items()) or "-",
            overview.progress(job), ran,
        ])  # fmt: skip
    show.rows(["NAMESPACE", "NAME", "PHASE", "HOLDS", "PROGRESS", "RUNNING"], rows)


def show_ranks(world: World, name: str) -> None:
    """What each rank of a job uses now."""
    from msgspec import to_builtins

    found = world.client.usage(name)
    if world.output in ("json", "yaml"):
        show.document(world, {"ranks": to_builtins(found)})
        return
    if world.output == "name":
        for one in found:
            show.line(one.pod)
        return
    if not found:
        show.note(f"{name} has no pods; athanor why {name}")
        return
    measured = any(one.gpu is not None for one in found)
    heads = ["RANK", "PHASE", "NODE", "CPU", "MEMORY"]
    rows = [
        [
            one.rank, one.phase, one.node or "-", _amount(one.cpu), _size(one.memory),
            *([_amount(one.gpu), _size(one.gpu_memory)] if measured else []), one.gpus or "-",
        ]
        for one in found
    ]  # fmt: skip
    show.rows([*heads, *(["GPU", "GPU MEMORY"] if measured else []), "DEVICES"], rows)
    if all(one.cpu is None for one in found if one.phase == "Running") and any(
        one.phase == "Running" for one in found
    ):
        show.note("nobody measures here (metrics.k8s.io): install metrics-server")


def _amount(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.2f}"


def _size(amount: int | None) -> str:
    return "-" if amount is None else f"{amount / (1 << 20):.0f} MiB"


def _documents(jobs: Sequence[TrainingJob]) -> JSON:
    """The jobs that hold hardware, for programs."""
    items = [
        {
            "namespace": job.metadata.namespace, "name": job.metadata.name,
            "phase": job.status.phase, "holds": _asked(job.spec.roles),
            "startedAt": job.status.started_at,
        }
        for job in jobs
    ]  # fmt: skip
    return {"jobs": items}


def _has_gpus(job: TrainingJob) -> bool:
    return any(name.endswith("/gpu") for name in _asked(job.spec.roles))


def _asked(roles: Any) -> dict[str, float]:
    from athanor.kit.quantity import NANO, parse

    total: dict[str, float] = {}
    for role in roles:
        for container in role.template.get("spec", {}).get("containers", []):
            for name, amount in container.get("resources", {}).get("requests", {}).items():
                scale = 1 << 30 if name == "memory" else 1
                label = "GiB" if name == "memory" else name
                each = parse(amount).nano / NANO / scale
                total[label] = total.get(label, 0) + each * role.replicas
    return total


def _nodes(world: World) -> None:
    from athanor.api.registry import find

    node_kind, pod_kind = find("nodes"), find("pods")
    assert node_kind is not None
    assert pod_kind is not None
    pods, everybody = overview.widest(
        lambda all_: world.client.list(pod_kind, everywhere=all_).get("items", [])
    )
    nodes = world.client.list(node_kind, everywhere=True).get("items", [])
    lines = [overview.node_line(node, pods) for node in nodes]
    if world.output in ("json", "yaml"):
        show.document(world, {"nodes": lines})
        return
    if not everybody:
        overview.only_ours(world)
    rows = []
    for line in lines:
        shares = [
            f"{resource} {overview.use(resource, amount['asked'], amount['of'], line['simulated'])}"
            for resource, amount in line["resources"].items()
        ]
        rows.append([line["name"], overview.state(line), str(line["pods"]), ", ".join(shares)])
    show.rows(["NODE", "STATUS", "PODS", "ASKED FOR"], rows)


def _queues(world: World) -> None:
    from athanor.cli.verbs.queue import show_queues

    show_queues(world)


def _gpus(world: World) -> None:
    """Every device: on which node, how much of it is taken, and by which pods."""
    from athanor.cli.devices import devices

    found = devices(world)
    if world.output in ("json", "yaml"):
        show.document(world, {"devices": found})
        return
    if world.output == "name":
        for one in found:
            show.line(f"{one['node']}/{one['index']}")
        return
    if not found:
        show.note("no node has devices")
        return
    rows = [
        [one["node"], str(one["index"]), one["resource"] + (" (simulated)" if one["simulated"]
         else ""), one["model"] or "-", f"{one['used'] / 10:g} %", ", ".join(one["pods"]) or "-"]
        for one in found
    ]  # fmt: skip
    show.rows(["NODE", "DEVICE", "RESOURCE", "MODEL", "TAKEN", "BY"], rows)
