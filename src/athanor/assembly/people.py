"""People of a shared workstation: identity, namespace, rights, queue share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from athanor.api import labels
from athanor.api.meta import API_VERSION, JSON
from athanor.api.registry import Resource, find
from athanor.assembly.layout import DataDir
from athanor.kit.clock import Clock
from athanor.local.pki import Pki, write_private
from athanor.sdk.client import Client
from athanor.wire.status import ApiError

RBAC = "rbac.authorization.k8s.io"
RESERVED = ("athanor", "kube", "system")
"""How names of the platform's own identities begin: nobody else gets a certificate for one."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


class Refused(Exception):
    """Somebody cannot be added; nothing was changed."""


class Person(Struct, frozen=True, kw_only=True):
    """Who is to be added; `share` and `limit` are resource → quantity of the default pool."""

    name: str
    team: str = ""
    share: Mapping[str, str] = field(default_factory=dict)
    limit: Mapping[str, str] = field(default_factory=dict)


class Added(Struct, frozen=True, kw_only=True):
    """What was made for somebody.

    `loopback`: their kubeconfig works on this machine only. `runs_as`: the uid of the platform's
    owner where pods have no other; 0 where root gives them one apart.
    """

    namespace: str
    queue: str
    kubeconfig: Path
    loopback: bool
    runs_as: int


def add(client: Client, data: DataDir, who: Person, clock: Clock, out: str) -> Added:
    """Give somebody a namespace, rights in it, a queue and a kubeconfig. May be repeated.

    Raises Refused for a name that cannot be one, ApiError when the server refuses.
    """
    for what, name in (("name", who.name), ("team", who.team)):
        if name and not _NAME.fullmatch(name):
            raise Refused(f"{what} {name!r}: lower-case letters, digits and '-', at most 40")
    if who.name.startswith(RESERVED):
        raise Refused(f"name {who.name!r}: the platform's own identities are called so")
    home = who.team or who.name
    for manifest in (_namespace(home, who), _queue(home, who), _binding(home, who)):
        resource = find(manifest["kind"])
        assert resource is not None
        _ensure(client, resource, manifest)
    try:
        settings = json.loads(data.settings.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Refused(f"{data.root} is no data directory of a platform on this machine") from None
    listen = settings.get("listen") or "127.0.0.1"
    server = f"https://{f'[{listen}]' if ':' in listen else listen}:{settings['port']}"
    groups = [f"athanor:team:{who.team}"] if who.team else []
    text = Pki(data.pki, clock.now()).kubeconfig(who.name, groups, server, home)
    path = Path(out or f"{who.name}.kubeconfig").expanduser().absolute()
    write_private(path, text.encode())
    return Added(
        namespace=home, queue=home, kubeconfig=path, loopback=not settings.get("listen"),
        runs_as=data.root.stat().st_uid,
    )  # fmt: skip


def everybody(client: Client) -> list[tuple[str, str]]:
    """Everybody who was added, with their namespace."""
    bindings = _kind("rolebindings")
    found = client.list(bindings, everywhere=True, labels=labels.USER).get("items", [])
    return sorted(
        (item["metadata"]["labels"][labels.USER], item["metadata"]["namespace"]) for item in found
    )


def remove(client: Client, data: DataDir, name: str, clock: Clock) -> bool:
    """Delete somebody's rights and key; False when there was nobody. What they made stays."""
    bindings = _kind("rolebindings")
    found = client.list(bindings, everywhere=True, labels=f"{labels.USER}={name}").get("items", [])
    for item in found:
        meta = item["metadata"]
        client.delete(bindings, meta["name"], namespace=meta["namespace"])
    Pki(data.pki, clock.now()).forget(name)
    return bool(found)


def _namespace(home: str, who: Person) -> JSON:
    marks = {labels.QUEUE: home, **({labels.TEAM: who.team} if who.team else {})}
    return {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home, "labels": marks}
    }  # fmt: skip


def _queue(home: str, who: Person) -> JSON:
    pool: JSON = {"pool": "default"}
    if who.share:
        pool["deserved"] = dict(who.share)
    if who.limit:
        pool["limit"] = dict(who.limit)
    selector = {"matchLabels": {labels.QUEUE: home}}
    return {
        "apiVersion": API_VERSION, "kind": "Queue", "metadata": {"name": home},
        "spec": {"pools": [pool], "namespaceSelector": selector},
    }  # fmt: skip


def _binding(home: str, who: Person) -> JSON:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": f"user-{who.name}", "namespace": home, "labels": {labels.USER: who.name}
        },
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": who.name}],
    }  # fmt: skip


def _ensure(client: Client, resource: Resource, manifest: JSON) -> None:
    try:
        client.create(resource, manifest)
    except ApiError as there:
        if there.reason != "AlreadyExists":
            raise


def _kind(plural: str) -> Resource:
    resource = find(plural)
    assert resource is not None
    return resource
