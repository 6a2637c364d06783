"""Which kinds there are: kind ↔ Struct ↔ plural ↔ scope.

Client, server and CLI find a kind's URL here. Kinds without a Struct are used as plain JSON.
"""

from __future__ import annotations

from msgspec import Struct

from athanor.api import core, crons, scheduling, sweeps, training, workflows, workspaces
from athanor.api.meta import GROUP, VERSION, Object


class Resource(Struct, frozen=True, kw_only=True):
    """One served resource: `gangs.athanor.dev`, namespaced, kind Gang."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    view: type[Object] | None = None

    @property
    def api_version(self) -> str:
        """`v1` for the core group, else `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """`plural.group`, or just `plural` for the core group; unique among resources."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """The URL path all requests for the group start with."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, an object or a subresource."""
        parts = [self.prefix]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


def _built_in(
    group: str, version: str, kind: str, plural: str, view: type[Object] | None, short: str = "",
    *, namespaced: bool = True,
) -> Resource:  # fmt: skip
    return Resource(
        group=group, version=version, kind=kind, plural=plural, namespaced=namespaced,
        singular=kind.lower(), short_names=tuple(short.split()), view=view,
    )  # fmt: skip


def _ours(kind: str, plural: str, view: type[Object], short: str, *, namespaced: bool) -> Resource:
    return Resource(
        group=GROUP, version=VERSION, kind=kind, plural=plural, namespaced=namespaced,
        singular=kind.lower(), short_names=tuple(short.split()), categories=("athanor",), view=view,
    )  # fmt: skip


OURS: tuple[Resource, ...] = (
    _ours("Gang", "gangs", scheduling.Gang, "gg", namespaced=True),
    _ours("Queue", "queues", scheduling.Queue, "aq", namespaced=False),
    _ours("Pool", "pools", scheduling.Pool, "apool", namespaced=False),
    _ours("Reservation", "reservations", scheduling.Reservation, "ares", namespaced=False),
    _ours("TrainingJob", "trainingjobs", training.TrainingJob, "tj", namespaced=True),
    _ours("Cron", "crons", crons.Cron, "acron", namespaced=True),
    _ours("Sweep", "sweeps", sweeps.Sweep, "sw", namespaced=True),
    _ours("Workflow", "workflows", workflows.Workflow, "wf", namespaced=True),
    _ours("Workspace", "workspaces", workspaces.Workspace, "ws", namespaced=True),
)
"""Athanor's own kinds; they are CRDs on every server."""

BUILT_IN: tuple[Resource, ...] = (
    _built_in("", "v1", "Namespace", "namespaces", core.Namespace, "ns", namespaced=False),
    _built_in("", "v1", "Node", "nodes", core.Node, "no", namespaced=False),
    _built_in("", "v1", "Pod", "pods", core.Pod, "po"),
    _built_in("", "v1", "Service", "services", core.Service, "svc"),
    _built_in("", "v1", "Endpoints", "endpoints", None, "ep"),
    _built_in("", "v1", "ConfigMap", "configmaps", core.ConfigMap, "cm"),
    _built_in("", "v1", "Secret", "secrets", core.Secret),
    _built_in("", "v1", "ServiceAccount", "serviceaccounts", core.ServiceAccount, "sa"),
    _built_in("", "v1", "Event", "events", core.Event, "ev"),
    _built_in(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", core.PersistentVolumeClaim,
        "pvc",
    ),
    _built_in(
        "", "v1", "PersistentVolume", "persistentvolumes", core.PersistentVolume, "pv",
        namespaced=False,
    ),
    _built_in("", "v1", "ResourceQuota", "resourcequotas", core.ResourceQuota, "quota"),
    _built_in("", "v1", "LimitRange", "limitranges", core.LimitRange, "limits"),
    _built_in("coordination.k8s.io", "v1", "Lease", "leases", core.Lease),
    _built_in("events.k8s.io", "v1", "Event", "events", None, "ev"),
    _built_in("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", None),
    _built_in(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", core.PriorityClass, "pc",
        namespaced=False,
    ),
    _built_in(
        "storage.k8s.io", "v1", "StorageClass", "storageclasses", core.StorageClass, "sc",
        namespaced=False,
    ),
    _built_in("rbac.authorization.k8s.io", "v1", "Role", "roles", None),
    _built_in("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", None),
    _built_in(
        "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", None, namespaced=False
    ),
    _built_in(
        "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", None,
        namespaced=False,
    ),
    _built_in(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
        None, "crd crds", namespaced=False,
    ),
    _built_in(
        "apiregistration.k8s.io", "v1", "APIService", "apiservices", None, namespaced=False
    ),
)  # fmt: skip
"""Kubernetes' own kinds, as far as both worlds serve them."""

ALL: tuple[Resource, ...] = BUILT_IN + OURS

_BY_VIEW = {r.view: r for r in ALL if r.view is not None}
_BY_KIND = {(r.api_version, r.kind): r for r in ALL}


def of(view: type[Object]) -> Resource:
    """The resource of a Struct. Raises KeyError for a class that is no registered kind."""
    return _BY_VIEW[view]


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource of `apiVersion` and `kind`, or None when it is not one of the known kinds."""
    return _BY_KIND.get((api_version, kind))


def find(word: str) -> Resource | None:
    """The resource a person means: kind, plural, singular, short name, or `plural.group`.

    Ours come first, then the core group, as kubectl prefers.
    """
    wanted = word.lower()
    for r in OURS + BUILT_IN:
        if wanted in (r.name, r.plural, r.singular, r.kind.lower(), *r.short_names):
            return r
    return None
