"""athanor status: the processes, the machine, the jobs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from athanor.cli import paint, show
from athanor.cli.failures import UNREACHABLE
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON


@verb(namespace=True, output=True, examples="athanor status\nathanor status -o json")
def command(world: World) -> int:
    """Show what runs, where, and what is free."""
    from athanor.wire.status import ApiError

    said = _parts(world)
    try:
        said.update(_cluster(world))
    except ApiError as away:
        said["problem"] = away.message
    if world.output in ("json", "yaml"):
        show.document(world, said)
    else:
        _print(world, said)
    return UNREACHABLE if "problem" in said else 0


def _parts(world: World) -> JSON:
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


def _cluster(world: World) -> JSON:
    from athanor.api.registry import find

    node_kind, pod_kind = find("nodes"), find("pods")
    assert node_kind is not None
    assert pod_kind is not None
    version = world.client.version().get("gitVersion", "?")
    jobs = world.client.list_jobs(everywhere=True)
    nodes = world.client.list(node_kind, everywhere=True).get("items", [])
    pods = world.client.list(pod_kind, everywhere=True).get("items", [])
    return {
        "server": version,
        "kubeconfig": world.kubeconfig,
        "nodes": [node_line(node, pods) for node in nodes],
        "jobs": dict(Counter(job.status.phase for job in jobs)),
    }


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
        "pods": running,
        "resources": {
            resource: {"asked": asked[resource] / NANO, "of": parse(amount).nano / NANO}
            for resource, amount in allocatable.items()
            if resource not in ("pods", "ephemeral-storage")
        },
    }


def _print(world: World, said: JSON) -> None:
    word = paint.paint("up", paint.GREEN, sys.stdout) if said["up"] else "down"
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
    show.rows([], rows)
    if "problem" in said:
        show.line(f"server     {said['problem']}")
        show.note("  try: athanor up --detach")
        return
    show.line(f"server     {said['server']}, {said['kubeconfig']}")
    for node in said["nodes"]:
        state = "ready" if node["ready"] else paint.paint("not ready", paint.RED, sys.stdout)
        show.line(f"node       {node['name']}: {state}, {node['pods']} pods")
        for resource, amount in node["resources"].items():
            said_use = use(resource, amount["asked"], amount["of"], node["simulated"])
            show.line(f"  {resource:<20} {said_use}")
    jobs = ", ".join(f"{n} {phase}" for phase, n in sorted(said["jobs"].items())) or "none"
    show.line(f"jobs       {jobs}")


def use(resource: str, asked: float, of: float, simulated: bool = False) -> str:
    """`1.5 of 2`, memory in GiB; devices that are only pretended are called so."""
    scale, unit = (1 << 30, " GiB") if resource == "memory" else (1, "")
    mark = " (simulated)" if simulated and resource.endswith("/gpu") else ""
    return f"{asked / scale:.3g} of {of / scale:.3g}{unit}{mark}"
