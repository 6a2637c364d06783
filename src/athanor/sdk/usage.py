"""What each rank of a job uses: processors, memory and GPUs as measured, and the devices it holds.

Measured by `metrics.k8s.io` (the node's agent on a laptop, metrics-server on a cluster, which knows
no GPUs); what nobody measures is None and nothing fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict

from athanor.api import labels, metrics
from athanor.kit.quantity import NANO, parse
from athanor.sdk.jobs import Scope
from athanor.sdk.logs import find_pods, rank_of, ranked
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

SILENT = ("NotFound", "ServiceUnavailable", "Forbidden", "InternalError")


class Used(Struct, frozen=True, kw_only=True, rename="camel"):
    """As measured: `cpu` in cores and `gpu` in GPUs that work all the time, memories in bytes."""

    cpu: float | None = None
    memory: int | None = None
    gpu: float | None = None
    gpu_memory: int | None = None


class RankUse(Used, frozen=True, kw_only=True, rename="camel"):
    """One rank; `gpus` are the devices it holds on its node."""

    rank: str
    pod: str
    node: str
    phase: str
    gpus: str = ""


def usage(scope: Scope, name: str, *, namespace: str | None = None) -> Op[list[RankUse]]:
    """What the ranks of a job (or gang) use now, in their order. Raises ApiError(NotFound)."""
    where = namespace or scope.namespace
    pods, (selector, _) = yield from find_pods(name, where)
    used = yield from _used(selector, where)
    return [
        RankUse(
            rank=rank_of(pod), pod=pod.metadata.name, node=pod.spec.node_name or "",
            phase=pod.status.phase, gpus=pod.metadata.annotations.get(labels.DEVICES, ""),
            **asdict(used.get(pod.metadata.name, Used())),
        )
        for pod in ranked(pods, "")
    ]  # fmt: skip


def _used(selector: str, namespace: str) -> Op[dict[str, Used]]:
    path = f"{metrics.ROOT}/namespaces/{namespace}/pods"
    try:
        found = yield from ask(calls.raw("GET", path, [("labelSelector", selector)]))
    except ApiError as error:
        if error.reason not in SILENT:
            raise
        return {}
    return {
        pod["metadata"]["name"]: _sum([one["usage"] for one in pod.get("containers") or []])
        for pod in found.get("items") or []
    }


def _sum(each: Sequence[Mapping[str, str]]) -> Used:
    def nanos(name: str) -> int | None:
        told = [parse(one[name]).nano for one in each if name in one]
        return sum(told) if told else None

    cpu, memory, gpu, gpu_memory = map(nanos, ("cpu", "memory", metrics.GPU, metrics.GPU_MEMORY))
    return Used(
        cpu=None if cpu is None else cpu / NANO,
        memory=None if memory is None else memory // NANO,
        gpu=None if gpu is None else gpu / NANO,
        gpu_memory=None if gpu_memory is None else gpu_memory // NANO,
    )
