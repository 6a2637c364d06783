"""Where the objects of an installation live, and whether they are there."""

from __future__ import annotations

import re
from collections.abc import Callable

from athanor.api.meta import JSON
from athanor.api.registry import Resource, by_kind
from athanor.assembly.install import monitoring, submitter
from athanor.assembly.install.older import NEWEST, OLDEST
from athanor.client.protocol import Client
from athanor.wire import calls
from athanor.wire.status import ApiError

Told = Callable[[str, str], None]
"""Hears what an object is called and what became of it: created, changed, unchanged, deleted."""

_OTHERS = {
    ("apps/v1", "Deployment"): "deployments",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    (monitoring.VERSION, "PrometheusRule"): "prometheusrules",
}
NEWER = {
    (submitter.VERSION, "MutatingAdmissionPolicy"): "mutatingadmissionpolicies",
    (submitter.VERSION, "MutatingAdmissionPolicyBinding"): "mutatingadmissionpolicybindings",
}
_WIDE = {
    **NEWER,
    (submitter.VERSION, "ValidatingAdmissionPolicy"): "validatingadmissionpolicies",
    (submitter.VERSION, "ValidatingAdmissionPolicyBinding"): "validatingadmissionpolicybindings",
}
"""Cluster-wide kinds."""
MAY_LACK = {
    **dict.fromkeys(NEWER, "this Kubernetes is older than 1.36"),
    (monitoring.VERSION, "PrometheusRule"): "the Prometheus operator is not installed",
}
"""Kinds that a server may not have, and why; it is installed on without them."""


class Refused(Exception):
    """The cluster cannot be installed on like this; nothing was changed."""


class NoCluster(Refused):
    """It is a laptop's own server."""


def resource_of(manifest: JSON) -> Resource:
    """Where an object of an installation lives."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    known = by_kind(version, kind)
    if known is not None:
        return known
    group, _, short = version.rpartition("/")
    return Resource(
        group=group, version=short, kind=kind, plural={**_OTHERS, **_WIDE}[version, kind],
        namespaced=(version, kind) in _OTHERS, singular=kind.lower(),
    )  # fmt: skip


def title(manifest: JSON) -> str:
    """`deployment.apps/athanor-controllers`, as kubectl writes it."""
    resource = resource_of(manifest)
    group = f".{resource.group}" if resource.group else ""
    return f"{resource.singular}{group}/{manifest['metadata']['name']}"


async def find(client: Client, manifest: JSON) -> JSON | None:
    """The object as it is there."""
    meta = manifest["metadata"]
    path = resource_of(manifest).path(meta.get("namespace"), meta["name"])
    try:
        found: JSON = await client(calls.raw("GET", path))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return None
    return found


async def check_cluster(client: Client, way: str) -> None:
    """Refuses a laptop's own server: its rights have the same names as an installation's."""
    try:
        await client(calls.raw("GET", "/apis/apps/v1"))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        raise NoCluster(f"this server runs no Deployments; on one machine {way}") from error


async def kubernetes(client: Client) -> tuple[int, int]:
    """The server's version. Refuses one before `OLDEST`."""
    found = str((await client(calls.raw("GET", "/version"))).get("gitVersion"))
    said = re.match(r"v(\d+)\.(\d+)", found)
    number = (int(said[1]), int(said[2])) if said else NEWEST
    if number < OLDEST:
        raise Refused(f"this is Kubernetes {found}; {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    return number
