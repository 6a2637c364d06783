"""How ranks and runs of a gang ended, as its status tells."""

from __future__ import annotations

from athanor.api.meta import Base
from athanor.api.numbers import Number

REFUSALS = frozenset({
    "TopologyAffinityError", "SMTAlignmentError", "NodePorts", "NodeName", "TaintToleration",
    "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch",
    "SupplementalGroupsPolicyNotSupported",
})  # fmt: skip
"""Why a kubelet turns a pod away that others may fit beside: the pod asks for what the node cannot
give as it is now (its CPUs and devices in one NUMA node, a free port)."""
NODE_FAULTS = REFUSALS | {
    "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "NodeAffinity", "InvalidNodeInfo",
    "UnexpectedAdmissionError", "Evicted", "DeletionByTaintManager", "DeletionByPodGC",
    "NodeUnschedulable",
}  # fmt: skip
"""Reasons that would come again on the same node. So would every "OutOf…" (OutOfcpu)."""


def is_node_bound(reason: str) -> bool:
    """Whether a fault of the platform speaks against the node."""
    return reason.startswith("OutOf") or reason in NODE_FAULTS


class RankFailure(Base, frozen=True, kw_only=True):
    """A rank that failed in this attempt. `platform`: no fault of the user's, costs no retry.

    `attempt` is the rank's own (see `rankAttempts`), `node` where it ran.
    """

    pod_set: str
    rank: Number
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    platform: bool = False
    started_at: str | None = None
    finished_at: str | None = None
    attempt: Number = 0
    node: str = ""


class PastRun(Base, frozen=True, kw_only=True):
    """A run that is over: from its admission until its pods had gone, and why it ended."""

    admitted_at: str
    ended_at: str
    reason: str = ""
    by: str = ""
