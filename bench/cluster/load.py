"""Load for a control plane: simulated nodes by the thousand, Ready from creation, and pods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from athanor.api.meta import JSON
from athanor.client.protocol import Client
from athanor.wire import calls
from bench.keeping import every

GPU, PER_NODE = "nvidia.com/gpu", 8
POOL, RACK, RACK_NODES = "athanor.dev/pool", "example.com/rack", 16
HELD = {"cpu": "128", "memory": "1Ti", "pods": "250", GPU: str(PER_NODE)}
"""What every node has."""


def creation(client: Client, path: str, manifest: JSON) -> Callable[[], Awaitable[JSON]]:
    """Creates an object by a path, when it is called."""
    return lambda: client(calls.raw("POST", path, body=manifest))


async def nodes(client: Client, count: int, *, pool: str = "default") -> None:
    """So many nodes of eight GPUs, sixteen a rack."""
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": ""}

    def one(number: int) -> JSON:
        name = f"n{number:05}"
        labels = {POOL: pool, RACK: f"r{number // RACK_NODES}", "kubernetes.io/hostname": name}
        return {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "status": {"capacity": HELD, "allocatable": HELD, "conditions": [ready]},
        }  # fmt: skip

    await every(creation(client, "/api/v1/nodes", one(number)) for number in range(count))


def template(gpus: int = 1) -> JSON:
    """A pod template that asks for GPUs."""
    held = {"requests": {GPU: str(gpus), "cpu": "1"}, "limits": {GPU: str(gpus)}}
    box = {"name": "main", "image": "registry.example/work:1", "resources": held}
    return {"spec": {"containers": [box], "restartPolicy": "Never"}}
