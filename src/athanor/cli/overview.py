"""What several verbs show of the platform: its processes, its nodes, the line of a job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from athanor.cli import show
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.training import TrainingJob
    from athanor.sdk.listing import JobLine

T = TypeVar("T")
APART = 60.0
"""So many seconds a cluster's clock may be apart from ours."""
HEAD = ["NAME", "FRAMEWORK", "PHASE", "RANKS", "QUEUE", "PROGRESS", "AGE"]


def widest(ask: Callable[[bool], T]) -> tuple[T, bool]:
    """What `ask` finds everywhere, else in one's own namespace; and whether it was everywhere."""
    from athanor.wire.status import ApiError

    try:
        return ask(True), True
    except ApiError as refused:
        if refused.reason != "Forbidden":
            raise
        return ask(False), False


def visible(ask: Callable[[], T]) -> T | None:
    """What `ask` finds; None for those who may not see it."""
    from athanor.wire.status import ApiError

    try:
        return ask()
    except ApiError as refused:
        if refused.reason != "Forbidden":
            raise
        return None


def only_ours(world: World) -> None:
    """Tell whoever may not see everything how much was counted."""
    show.note(f"of namespace {world.where} alone: you may not see the others' pods and jobs")


def parts(world: World) -> JSON:
    """What the watchman last wrote, checked against the processes there are."""
    from athanor.assembly import processes, supervisor
    from athanor.assembly.layout import DataDir

    data = DataDir(world.data)
    said: JSON = {"data": str(data.root), "up": processes.held(data.lock)}
    try:
        state = json.loads(data.status.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}
    parts = state.get("parts", [])
    hello = supervisor.ask(data.run, "hello") if said["up"] else None
    if hello:
        parts.append({"name": "supervisor", "pid": hello["pid"], "ready": True, "restarts": 0})
    for part in parts:
        part["running"] = bool(processes.start_of(part["pid"]))
        part["memoryMiB"] = processes.resident(part["pid"])
    said["processes"] = parts
    return said


def cluster(world: World) -> JSON:
    """Nodes and jobs, as the server knows them. Raises ApiError when it does not answer."""
    from athanor.api.registry import find

    node_kind, pod_kind = find("nodes"), find("pods")
    assert node_kind is not None
    assert pod_kind is not None
    client = world.client
    version = client.version().get("gitVersion", "?")
    jobs, _ = widest(lambda all_: client.job_lines(everywhere=all_))
    nodes = visible(lambda: client.list(node_kind, everywhere=True).get("items", []))
    pods, everybody = widest(lambda all_: client.list(pod_kind, everywhere=all_).get("items", []))
    return {
        "server": version,
        "kubeconfig": world.kubeconfig,
        "nodes": [node_line(node, pods) for node in nodes or []],
        "nodesVisible": nodes is not None,
        "jobs": dict(Counter(job.status.phase for job in jobs)),
        "everybody": everybody,
    }


def controllers(world: World) -> JSON | None:
    """Which replica of a cluster's controllers leads ("" for none), and in which namespace.

    None for those who may not see it.
    """
    from athanor.api.registry import find
    from athanor.assembly.install.parts import LEASE, Wishes

    kind = find("leases")
    assert kind is not None
    found = visible(
        lambda: world.client.list(kind, everywhere=True, fields=f"metadata.name={LEASE}")
    )
    if found is None:
        return None
    items = found.get("items", [])
    held = [one for one in items if _is_held(one["spec"], world.clock.now())]
    where = (held or items)[0]["metadata"]["namespace"] if items else Wishes().namespace
    return {"namespace": where, "leader": held[0]["spec"]["holderIdentity"] if held else ""}


def _is_held(lease: JSON, now: float) -> bool:
    """Whether somebody renews it; its clock and ours may differ a little."""
    from athanor.kit.times import parse_rfc3339

    if not lease.get("holderIdentity") or not lease.get("renewTime"):
        return False
    silent = now - parse_rfc3339(lease["renewTime"])
    return silent < float(lease["leaseDurationSeconds"]) + APART


def node_line(node: JSON, pods: list[JSON]) -> JSON:
    """A node's state and, of each resource, how much is asked for by its pods of how much."""
    from athanor.kit.quantity import NANO, parse

    status, name = node.get("status", {}), node["metadata"]["name"]
    asked: Counter[str] = Counter()
    running = 0
    for pod in pods:
        over = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if pod["spec"].get("nodeName") != name or over:
            continue
        running += 1
        for container in pod["spec"].get("containers", []):
            for resource, amount in container.get("resources", {}).get("requests", {}).items():
                asked[resource] += parse(amount).nano
    allocatable = status.get("allocatable", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
    marks = node["metadata"].get("labels", {})
    return {
        "name": name,
        "simulated": marks.get("athanor.dev/simulated-gpus") == "true",
        "ready": conditions.get("Ready") == "True",
        "cordoned": bool(node.get("spec", {}).get("unschedulable")),
        "pods": running,
        "resources": {
            resource: {"asked": asked[resource] / NANO, "of": parse(amount).nano / NANO}
            for resource, amount in allocatable.items()
            if resource not in ("pods", "ephemeral-storage")
        },
    }


def state(line: JSON) -> str:
    """A node's state in kubectl's words."""
    word = "Ready" if line["ready"] else "NotReady"
    return f"{word},SchedulingDisabled" if line["cordoned"] else word


def use(resource: str, asked: float, of: float, simulated: bool = False) -> str:
    """`1.5 of 2`, memory in GiB; devices that are only pretended are called so."""
    scale, unit = (1 << 30, " GiB") if resource == "memory" else (1, "")
    mark = " (simulated)" if simulated and resource.endswith("/gpu") else ""
    return f"{asked / scale:.3g} of {of / scale:.3g}{unit}{mark}"


def rows(
    world: World, jobs: Iterable[TrainingJob | JobLine], everywhere: bool, wide: bool
) -> list[list[str]]:
    """Jobs' lines under HEAD, with their namespace first and more behind when asked for.

    Of thousands most were made in the same few seconds, so each age is told once.
    """
    ages: dict[str | None, str] = {}
    found = []
    for job in jobs:
        status, meta, spec = job.status, job.metadata, job.spec
        total = up = 0
        for role in spec.roles:
            total += role.replicas
            if spec.elastic is not None and spec.elastic.role == role.name:
                total += spec.elastic.max - role.replicas
        for counts in status.pods:
            up += counts.running + counts.succeeded
        stamp = meta.creation_timestamp
        age = ages.get(stamp)
        if age is None:
            age = ages[stamp] = show.age(world, stamp)
        row = [
            meta.name, spec.framework, status.phase, f"{up}/{total}",
            spec.scheduling.queue or "default", progress(job), age,
        ]  # fmt: skip
        if everywhere:
            row.insert(0, meta.namespace)
        if wide:
            row += [str(status.attempt), status.message or "-"]
        found.append(row)
    return found


def progress(job: TrainingJob | JobLine) -> str:
    """`120/400 30%`, `120`, or `-`."""
    said = job.status.progress
    if said is None or said.step is None:
        return "-"
    return (
        f"{said.step}/{said.total} {100 * said.step // said.total}%"
        if said.total
        else str(said.step)
    )
