"""Operations on any object: read as JSON, as a table for people, create, delete."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.request import Request

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Column(Struct, frozen=True):
    """A column of a table; `priority` 0 is always shown, more only when asked for wide."""

    name: str
    type: str = "string"
    priority: int = 0


class _Named(Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _Partial(Struct, frozen=True):
    metadata: _Named = _Named()


class TableRow(Struct, frozen=True):
    """The cells of one object."""

    cells: list[Any]
    object: _Partial = _Partial()


class Table(Struct, frozen=True, rename="camel"):
    """Objects as a person reads them: the server chooses the columns (meta.k8s.io Table)."""

    column_definitions: list[Column] = []
    rows: list[TableRow] = []


def get(scope: Scope, resource: Resource, name: str, *, namespace: str | None = None) -> Op[JSON]:
    """One object, whole. Raises ApiError(NotFound)."""
    path = resource.path(_where(scope, resource, namespace), name)
    found = yield from ask(calls.raw("GET", path))
    return found


def list_(
    scope: Scope,
    resource: Resource,
    *,
    namespace: str | None = None,
    everywhere: bool = False,
    labels: str = "",
    fields: str = "",
) -> Op[JSON]:
    """All objects of a kind, as one List."""
    where = None if everywhere else _where(scope, resource, namespace)
    query = [(k, v) for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v]
    found = yield from ask(calls.raw("GET", resource.path(where), query))
    return found


def table(
    scope: Scope,
    resource: Resource,
    name: str = "",
    *,
    namespace: str | None = None,
    everywhere: bool = False,
    labels: str = "",
    fields: str = "",
) -> Op[Table]:
    """Objects of a kind (or one) as the server shows them to people."""
    where = None if everywhere else _where(scope, resource, namespace)
    query = tuple((k, v) for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v)
    request = Request(
        method="GET", path=resource.path(where, name), query=query, headers={"accept": TABLE}
    )
    body = yield from ask(calls.text(request))
    return msgspec.json.decode(body, type=Table)


def create(scope: Scope, resource: Resource, manifest: JSON, *, dry_run: bool = False) -> Op[JSON]:
    """Create an object. Raises ApiError: AlreadyExists, Invalid, Forbidden."""
    meta = dict(manifest.get("metadata", {}))
    if resource.namespaced:
        meta.setdefault("namespace", scope.namespace)
    whole = {
        "apiVersion": resource.api_version, "kind": resource.kind, **manifest, "metadata": meta
    }  # fmt: skip
    made = yield from ask(calls.create(resource, whole, dry_run=dry_run))
    return made


def patch(
    scope: Scope, resource: Resource, name: str, body: JSON, *, namespace: str | None = None,
    dry_run: bool = False,
) -> Op[JSON]:  # fmt: skip
    """Merge-patch an object and return it. Raises ApiError: NotFound, Invalid, Forbidden."""
    where = _where(scope, resource, namespace)
    changed = yield from ask(calls.patch(resource, name, where, body, dry_run=dry_run))
    return changed


def apply(
    scope: Scope, resource: Resource, manifest: JSON, *, force: bool = False, dry_run: bool = False
) -> Op[JSON]:
    """Create an object, or change it so that it says what `manifest` says (server-side apply).

    Raises ApiError: Invalid, Forbidden, Conflict over fields that another manager applied, which
    `force` takes over.
    """
    meta = dict(manifest.get("metadata", {}))
    if resource.namespaced:
        meta.setdefault("namespace", scope.namespace)
    whole = {**manifest, "metadata": meta}
    call = calls.apply(resource, whole, manager="athanor", force=force, dry_run=dry_run)
    return (yield from ask(call))


def delete(
    scope: Scope,
    resource: Resource,
    name: str,
    *,
    namespace: str | None = None,
    grace_seconds: int | None = None,
) -> Op[None]:
    """Delete an object, and in the background what it owns. Raises ApiError(NotFound)."""
    where = _where(scope, resource, namespace)
    yield from ask(
        calls.delete(resource, name, where, grace_seconds=grace_seconds, propagation="Background")
    )


def version(_: Scope) -> Op[JSON]:
    """What the server says it is."""
    found = yield from ask(calls.raw("GET", "/version"))
    return found


def _where(scope: Scope, resource: Resource, namespace: str | None) -> str | None:
    return (namespace or scope.namespace) if resource.namespaced else None
