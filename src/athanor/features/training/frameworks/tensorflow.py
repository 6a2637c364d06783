"""TensorFlow: every rank reads TF_CONFIG: who is in the cluster, and which of them it is.

Roles are chief (or master), worker, ps and evaluator; the evaluator is no member of the cluster.
The chief's end is the job's, else that of all workers: parameter servers and evaluators never end
by themselves. With parameter servers a dead worker restarts alone; without, one dead worker ends
the world for all (MultiWorkerMirroredStrategy).
"""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON
from athanor.api.training import RanksRule
from athanor.features.training.frameworks.wiring import RANK, JobWorld, Wiring, port, ports

MEMBERS = ("chief", "worker", "ps")
SAME = {"master": "chief"}


def wire(world: JobWorld) -> Wiring:
    """The cluster, and each rank's place in it."""
    cluster: dict[str, list[str]] = {}
    number = 0
    for role in world.roles:
        name = SAME.get(role.name, role.name)
        for host in world.hosts(role):
            if name in MEMBERS:
                cluster.setdefault(name, []).append(f"{host}:{port(number)}")
            number += 1
    leader = world.role("chief", "master")
    ends = [RanksRule(ranks={leader.name: [0]})] if leader else []
    if not ends and world.role("worker") and world.role("ps", "evaluator"):
        ends = [RanksRule(ranks={"worker": []})]

    def configured(role: str, container: JSON) -> JSON:
        task = f'"task": {{"type": "{SAME.get(role, role)}", "index": {RANK}}}'
        said = f'{{"cluster": {msgspec.json.encode(cluster).decode()}, {task}}}'
        told = [{"name": "TF_CONFIG", "value": said}]
        return {**container, "env": [*_before(container), *told, *_own(container)]}

    return Wiring(
        env={**ports(number), "TF_CPP_MIN_LOG_LEVEL": "1"},
        restart="Rank" if world.role("ps") else "Gang",
        container=configured,
        success=ends,
    )


def _before(container: JSON) -> list[JSON]:
    """The platform's variables: what TF_CONFIG refers to has to stand before it."""
    return [e for e in container.get("env") or [] if e["name"].startswith("ATHANOR_")]


def _own(container: JSON) -> list[JSON]:
    return [e for e in container.get("env") or [] if not e["name"].startswith("ATHANOR_")]
