"""Pods with a node as controllers keep them: what is read, and what many have in common once.

What a placed pod runs is its node's business: controllers read where it is, what it takes there
and how it does. Fifty thousand pods with environments and volumes would take all the memory.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from athanor.api.core import (
    Container,
    ContainerStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from athanor.api.meta import OwnerReference


def lean(pod: Pod) -> Pod:
    """The pod without what nobody reads; one without a node as it is: it may become a gang."""
    meta, spec, status = pod.metadata, pod.spec, pod.status
    if not spec.node_name:
        return pod
    replace = msgspec.structs.replace
    return replace(
        pod,
        api_version=_text(pod.api_version),
        kind=_text(pod.kind),
        metadata=replace(
            meta,
            namespace=_text(meta.namespace),
            labels={_text(name): _text(value) for name, value in meta.labels.items()},
            owner_references=[_owner(one) for one in meta.owner_references],
        ),
        spec=PodSpec(
            node_name=_text(spec.node_name),
            containers=[_container(one) for one in spec.containers],
            init_containers=[_container(one) for one in spec.init_containers],
            affinity=spec.affinity,
            scheduler_name=_text(spec.scheduler_name),
            scheduling_gates=spec.scheduling_gates,
            restart_policy=_text(spec.restart_policy),
            host_network=spec.host_network,
            priority_class_name=_text(spec.priority_class_name),
            priority=spec.priority,
            resources=spec.resources,
            overhead=spec.overhead,
        ),
        status=PodStatus(
            phase=_text(status.phase),
            reason=status.reason,
            message=status.message,
            conditions=[_condition(one) for one in status.conditions],
            container_statuses=[s for s in status.container_statuses if _says(s)],
            init_container_statuses=[s for s in status.init_container_statuses if _says(s)],
        ),
    )


def _container(one: Container) -> Container:
    asked = one.resources
    if one.ports:
        return Container(
            name=one.name, resources=asked, ports=one.ports, restart_policy=one.restart_policy
        )
    return _box(
        one.name, tuple(asked.requests.items()), tuple(asked.limits.items()), one.restart_policy
    )


Said = tuple[tuple[str, str], ...]


@lru_cache(4096)
def _box(name: str, requests: Said, limits: Said, restart_policy: str) -> Container:
    asked = ResourceRequirements(requests=dict(requests), limits=dict(limits))
    return Container(name=name, resources=asked, restart_policy=restart_policy)


@lru_cache(65536)
def _condition(one: PodCondition) -> PodCondition:
    """One object for equal conditions."""
    return one


@lru_cache(4096)
def _owner(one: OwnerReference) -> OwnerReference:
    """One object for equal references."""
    return one


@lru_cache(65536)
def _text(text: str) -> str:
    """One object for equal texts."""
    return text


def _says(status: ContainerStatus) -> bool:
    """Whether a container waits, or has ended."""
    return status.state.waiting is not None or status.state.terminated is not None
