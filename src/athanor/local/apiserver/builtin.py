"""The built-in resources as served here: verbs, subresources, schema and strategy of each."""

from __future__ import annotations

from collections.abc import Iterable

from athanor.api import registry
from athanor.local.apiserver.catalog import VERBS, Served, Sub
from athanor.local.apiserver.kinds import STRATEGIES
from athanor.local.apiserver.kinds.base import Strategy

_GPU = ("get", "patch", "update")
_STATUS = (
    "namespaces", "nodes", "pods", "services", "persistentvolumeclaims", "persistentvolumes",
    "resourcequotas", "customresourcedefinitions.apiextensions.k8s.io",
    "apiservices.apiregistration.k8s.io",
)  # fmt: skip
_OTHERS: dict[str, tuple[Sub, ...]] = {
    "namespaces": (Sub(name="finalize", verbs=("update",)),),
    "pods": (
        Sub(name="attach", verbs=("create", "get"), kind="PodAttachOptions"),
        Sub(name="binding", verbs=("create",), kind="Binding"),
        Sub(name="eviction", verbs=("create",), kind="Eviction", group="policy", version="v1"),
        Sub(name="exec", verbs=("create", "get"), kind="PodExecOptions"),
        Sub(name="log", verbs=("get",), kind="Pod"),
        Sub(name="portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
    ),
    "serviceaccounts": (
        Sub(
            name="token", verbs=("create",), kind="TokenRequest",
            group="authentication.k8s.io", version="v1",
        ),
    ),
}  # fmt: skip


def served(resource: registry.Resource) -> Served:
    """How a built-in resource is served."""
    subs = {sub.name: sub for sub in _OTHERS.get(resource.name, ())}
    if resource.name in _STATUS:
        subs["status"] = Sub(name="status", verbs=_GPU, kind=resource.kind)
    verbs = tuple(v for v in VERBS if v != "deletecollection" or resource.name != "namespaces")
    return Served(
        resource=resource,
        strategy=STRATEGIES.get(resource.name, Strategy()),
        verbs=verbs,
        subs=subs,
        storage="events" if resource.name == "events.events.k8s.io" else "",
    )


def all_served() -> Iterable[Served]:
    """Every built-in resource."""
    return [served(resource) for resource in registry.BUILT_IN]
