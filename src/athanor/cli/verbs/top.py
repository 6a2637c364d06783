"""athanor top: who uses what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from athanor.cli import overview, show
from athanor.cli.complete import names_of
from athanor.cli.verb import verb
from athanor.cli.verbs.pool import mark, simulated
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.scheduling import Gang
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
    """Jobs that hold hardware, by what they asked for; gangs that no job has made, too."""
    from athanor.api.training import TrainingJob

    anybody = world.namespace is None
    found, everybody = overview.widest(
        lambda all_: world.client.list_jobs(everywhere=all_ and anybody)
    )
    jobs = [job for job in found if job.status.phase in ("Starting", "Running", "Restarting")]
    gangs = _others(world, everywhere=everybody and anybody)
    if world.output in ("json", "yaml"):
        show.document(world, {"jobs": _documents(jobs), "gangs": _documents(gangs)})
        return
    if not everybody:
        overview.only_ours(world)
    if not jobs and not gangs:
        show.note("no job holds hardware")
        return
    holding: list[TrainingJob | Gang] = [*jobs, *gangs]
    marked = any(_has_gpus(one) for one in holding) and simulated(world)
    rows = []
    for one in holding:
        ran = show.age(world, one.status.started_at)
        holds = _asked(one).items()
        name, progress = f"gang/{one.metadata.name}", "-"
        if isinstance(one, TrainingJob):
            name, progress = one.metadata.name, overview.progress(one)
        rows.append([
            one.metadata.namespace, name, one.status.phase,
            ", ".join(f"{n:g} {what}{mark(what, marked)}" for what, n in holds) or "-",
            progress, ran,
        ])  # fmt: skip
    show.rows(["NAMESPACE", "NAME", "PHASE", "HOLDS", "PROGRESS", "RUNNING"], rows)


def _others(world: World, *, everywhere: bool) -> list[Gang]:
    """Gangs that hold hardware and were made by no job: adopted pods', workspaces'."""
    import msgspec

    from athanor.api import labels
    from athanor.api.scheduling import Gang
    from athanor.cli.shared import kind_of

    kind = kind_of("gangs")
    found = overview.visible(
        lambda: world.client.list(kind, everywhere=everywhere, labels=f"!{labels.JOB}")
    )
    gangs = [msgspec.convert(item, Gang) for item in (found or {}).get("items", [])]
    return [
        one for one in gangs
        if one.status.admission is not None and one.status.phase not in ("Succeeded", "Failed")
    ]  # fmt: skip


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


def _documents(holding: Sequence[TrainingJob | Gang]) -> list[JSON]:
    """Those that hold hardware, for programs."""
    return [
        {
            "namespace": one.metadata.namespace, "name": one.metadata.name,
            "phase": one.status.phase, "holds": _asked(one),
            "startedAt": one.status.started_at,
        }
        for one in holding
    ]  # fmt: skip


def _has_gpus(one: TrainingJob | Gang) -> bool:
    return any(name.endswith("/gpu") for name in _asked(one))


def _asked(one: TrainingJob | Gang) -> dict[str, float]:
    from athanor.api.training import TrainingJob
    from athanor.kit.quantity import NANO, parse

    parts = (
        [(role.template, role.replicas) for role in one.spec.roles]
        if isinstance(one, TrainingJob)
        else [(pod_set.template, pod_set.count) for pod_set in one.spec.pod_sets]
    )
    total: dict[str, float] = {}
    for template, count in parts:
        for container in template.get("spec", {}).get("containers", []):
            for name, amount in container.get("resources", {}).get("requests", {}).items():
                scale = 1 << 30 if name == "memory" else 1
                label = "GiB" if name == "memory" else name
                each = parse(amount).nano / NANO / scale
                total[label] = total.get(label, 0) + each * count
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
