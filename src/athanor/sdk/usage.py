"""What each rank of a job uses: processors and memory as measured, GPUs as held.

Measured by `metrics.k8s.io` (the node's agent on a laptop, metrics-server on a cluster); where
nobody answers it, the amounts are None and nothing fails.
"""

from __future__ import annotations

from msgspec import Struct

from athanor.api import labels, metrics
from athanor.kit.quantity import NANO, parse
from athanor.sdk.jobs import Scope
from athanor.sdk.logs import find_pods, rank_of, ranked
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

SILENT = ("NotFound", "ServiceUnavailable", "Forbidden", "InternalError")


class RankUse(Struct, frozen=True, kw_only=True):
    """One rank: `cpu` in cores, `memory` in bytes, `gpus` are the devices it holds on its node."""

    rank: str
    pod: str
    node: str
    phase: str
    cpu: float | None = None
    memory: int | None = None
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
            cpu=used.get(pod.metadata.name, (None, None))[0],
            memory=used.get(pod.metadata.name, (None, None))[1],
        )
        for pod in ranked(pods, "")
    ]  # fmt: skip


def _used(selector: str, namespace: str) -> Op[dict[str, tuple[float, int]]]:
    path = f"{metrics.ROOT}/namespaces/{namespace}/pods"
    try:
        found = yield from ask(calls.raw("GET", path, [("labelSelector", selector)]))
    except ApiError as error:
        if error.reason not in SILENT:
            raise
        return {}
    told = {}
    for pod in found.get("items") or []:
        each = [one["usage"] for one in pod.get("containers") or []]
        cpu = sum(parse(one["cpu"]).nano for one in each) / NANO
        told[pod["metadata"]["name"]] = cpu, sum(parse(one["memory"]).nano for one in each) // NANO
    return told
