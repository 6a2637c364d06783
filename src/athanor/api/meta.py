"""What all Kubernetes objects share: metadata, owner references, conditions, and the Struct base.

Structs here are *views*: decoding drops fields they do not name. So nothing is ever written back
from a decoded view; controllers create whole manifests and patch the fields they own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

JSON = dict[str, Any]
"""One JSON object, as decoded. Treat it as immutable: copy before you change it."""

GROUP = "athanor.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

_ACRONYMS = {
    "ip": "IP", "ips": "IPs", "id": "ID", "uuid": "UUID", "cidr": "CIDR", "cidrs": "CIDRs",
    "ca": "CA", "dns": "DNS", "url": "URL", "tls": "TLS", "pid": "PID", "ipc": "IPC",
}  # fmt: skip


def camel(name: str) -> str:
    """The JSON name of a Struct field: `host_ip` → `hostIP`, `ip` → `ip`, `from_` → `from`."""
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(_ACRONYMS.get(word, word.capitalize()) for word in rest)


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=camel):
    """A frozen value with Kubernetes' field names; unset fields are not encoded."""


class OwnerReference(Base, frozen=True, kw_only=True):
    """Who owns an object; the garbage collector deletes it when the last owner is gone."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Base, frozen=True, kw_only=True):
    """Name, identity, versions, labels. Times are RFC 3339 strings in UTC, as on the wire."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    finalizers: list[str] = msgspec.field(default_factory=list)
    owner_references: list[OwnerReference] = msgspec.field(default_factory=list)


class Condition(Base, frozen=True, kw_only=True):
    """One observation of an object's state; `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    observed_generation: int | None = None


class Object(Base, frozen=True, kw_only=True):
    """Any Kubernetes object: what it is and its metadata."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class ObjectReference(Base, frozen=True, kw_only=True):
    """Points at an object, for instance the one an Event is about."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


T = TypeVar("T")


class ListMeta(Base, frozen=True, kw_only=True):
    """Metadata of a list: the revision it shows and, for a page, where the next one starts."""

    resource_version: str = ""
    continue_: str = ""
    remaining_item_count: int | None = None


class Page(Base, Generic[T], frozen=True, kw_only=True):
    """One answer to a list request."""

    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[T] = msgspec.field(default_factory=list)


def set_condition(conditions: Sequence[Condition], new: Condition, now: str) -> list[Condition]:
    """`conditions` with `new` in place of the one of its type.

    The transition time moves only when the status does (Kubernetes API conventions).
    """
    old = next((c for c in conditions if c.type == new.type), None)
    since = old.last_transition_time if old and old.status == new.status else now
    placed = msgspec.structs.replace(new, last_transition_time=since)
    return [c for c in conditions if c.type != new.type] + [placed]


def to_manifest(value: Base) -> JSON:
    """A Struct as a JSON object, ready to be sent; unset fields are left out."""
    built: JSON = msgspec.to_builtins(value)
    return built
