"""A request's path and method as values: what is asked of which resource. Pure.

The grammar is that of Kubernetes' `RequestInfo`: `/api/v1/…` and `/apis/{group}/{version}/…`, with
`namespaces/{name}/` in front of namespaced resources.
"""

from __future__ import annotations

from urllib.parse import unquote

from msgspec import Struct

from athanor.wire.request import Request


class Target(Struct, frozen=True):
    """What a request asks for. `verb` is RBAC's word; `resource` is empty for other paths."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    selected: str = ""
    """The one object that a field selector leaves of a collection."""

    @property
    def is_resource(self) -> bool:
        """Whether this is about objects rather than a path such as /version."""
        return bool(self.resource)


_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT = {
    "GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch",
    "DELETE": "delete",
}  # fmt: skip
_NAMESPACE_PARTS = frozenset(("status", "finalize"))


def route(request: Request) -> Target:
    """Where a request goes. Never fails: unknown paths are targets without a resource."""
    path = request.path
    parts = [unquote(p) for p in path.strip("/").split("/")] if "%" in path else path.split("/")
    parts = [p for p in parts if p]
    head = parts[0] if parts else ""
    if head == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif head == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(request.method.lower(), path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    verb = (_OBJECT if name else _COLLECTION).get(request.method, request.method.lower())
    watch = request.param("watch") if verb == "list" else None
    if watch is not None and watch.lower() not in ("0", "false"):
        verb = "watch"
    selected = "" if name or not request.query else _selected(request.param("fieldSelector"))
    return Target(
        verb, path, group, version, namespace, resource, name, subresource, "/".join(rest[3:]),
        selected,
    )  # fmt: skip


def _selected(fields: str | None) -> str:
    for term in (fields or "").split(","):
        left, _, right = term.partition("=")
        if left == "metadata.name" and right:
            return right.lstrip("=")
    return ""
