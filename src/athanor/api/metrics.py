"""`metrics.k8s.io`: what pods and nodes use now, as `kubectl top` and autoscalers ask for it.

On a cluster metrics-server answers it; on a laptop the node's agent does.
"""

from __future__ import annotations

from athanor.api.meta import JSON

GROUP = "metrics.k8s.io"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
ROOT = f"/apis/{API_VERSION}"
SERVICE = f"{VERSION}.{GROUP}"
DOOR, HOME = "athanor-metrics", "kube-system"
"""The Service by which a laptop's API server finds the agent."""
GPU, GPU_MEMORY = "nvidia.com/gpu", "nvidia.com/gpu.memory"
"""What our agent's answers name beside `cpu` and `memory`: GPUs at work, bytes taken on them."""


def _resource(name: str, kind: str, *, namespaced: bool) -> JSON:
    return {
        "name": name, "singularName": name.removesuffix("s"), "namespaced": namespaced,
        "kind": kind, "verbs": ["get", "list"],
    }  # fmt: skip


RESOURCES: JSON = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": API_VERSION,
    "resources": [
        _resource("nodes", "NodeMetrics", namespaced=False),
        _resource("pods", "PodMetrics", namespaced=True),
    ],
}
"""What discovery says of the group."""
