"""How an API server finds the groups that our processes answer: objects, and where they are.

Imported by whoever starts soon: data alone.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from msgspec import Struct

from athanor.api import gateway, metrics, visibility
from athanor.api.meta import JSON
from athanor.api.registry import Resource, by_kind
from athanor.client.protocol import Client
from athanor.wire import calls
from athanor.wire.status import ApiError

HOME = "kube-system"
NODES = "system:nodes"
FRONT = "kube-apiserver-kubelet-client"
"""The name of our own API server when it passes requests on."""
_RBAC = "rbac.authorization.k8s.io"


class Door(Struct, frozen=True):
    """A group that is answered behind the API server, and the Service that leads there."""

    group: str
    version: str
    name: str

    @property
    def service(self) -> str:
        """The APIService's name."""
        return f"{self.version}.{self.group}"


VISIBILITY = Door(visibility.GROUP, visibility.VERSION, "athanor-visibility")
GATEWAY = Door(gateway.GROUP, gateway.VERSION, "athanor-gateway")
METRICS = Door(metrics.GROUP, metrics.VERSION, metrics.DOOR)


def manifests(doors: Sequence[tuple[Door, str]]) -> list[JSON]:
    """For a laptop: of each door the Service, the APIService, and the right of a user (or of the
    nodes) to say where it is.
    """
    return [manifest for door, user in doors for manifest in (*_objects(door), *_right(door, user))]


def api_service(door: Door, home: str, port: int = 443) -> JSON:
    """Who answers the group."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": door.service},
        "spec": {
            "group": door.group, "version": door.version, "groupPriorityMinimum": 100,
            "versionPriority": 10, "service": {"name": door.name, "namespace": home, "port": port},
        },
    }  # fmt: skip


def announcing(door: Door) -> JSON:
    """The rule that lets somebody say where it is answered."""
    return {
        "apiGroups": ["apiregistration.k8s.io"], "resources": ["apiservices"],
        "resourceNames": [door.service], "verbs": ["get", "patch"],
    }  # fmt: skip


REMIND = 300.0
"""Seconds after which it is written again: an APIService that somebody deleted is back by then."""


async def announce(client: Client, door: Door, home: str, port: int, authority: bytes) -> None:
    """Write port and authority into the APIService, which is made where there is none."""
    resource = _resource()
    wanted = api_service(door, home, port)
    wanted["spec"]["caBundle"] = base64.b64encode(authority).decode()
    body = {"spec": {key: wanted["spec"][key] for key in ("service", "caBundle")}}
    try:
        await client(calls.patch(resource, door.service, None, body))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        await client(calls.create(resource, wanted))


async def withdraw(client: Client, door: Door, authority: bytes) -> None:
    """Take the APIService away: a group that nobody answers keeps namespaces from being deleted.

    One that a successor has written meanwhile, with another authority, stays.
    """
    path = _resource().path(None, door.service)
    try:
        found = await client(calls.raw("GET", path))
        if found["spec"].get("caBundle") == base64.b64encode(authority).decode():
            version = found["metadata"]["resourceVersion"]
            await client(calls.delete(_resource(), door.service, resource_version=version))
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise


def _resource() -> Resource:
    found = by_kind("apiregistration.k8s.io/v1", "APIService")
    assert found is not None
    return found


def _objects(door: Door) -> list[JSON]:
    here = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": door.name, "namespace": HOME},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }  # fmt: skip
    return [here, api_service(door, HOME)]


def _right(door: Door, user: str) -> list[JSON]:
    name = f"athanor:{door.name.removeprefix('athanor-')}-door"
    head = {"metadata": {"name": name}, "apiVersion": f"{_RBAC}/v1"}
    kind = "Group" if user == NODES else "User"
    return [
        {**head, "kind": "ClusterRole", "rules": [announcing(door)]},
        {
            **head, "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": user}],
        },
    ]  # fmt: skip
