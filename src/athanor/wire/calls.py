"""Every request a client makes, as a value: a Request and how to read its answer.

The asynchronous and the synchronous transport both take these, so no method exists twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON, Object, Page
from athanor.api.registry import Resource, of
from athanor.wire.request import Request, Response
from athanor.wire.status import from_response

T = TypeVar("T")
O = TypeVar("O", bound=Object)  # noqa: E741 - O for object, next to T

PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
"""Accept: a list of objects without their specs and statuses, where the server can do that."""

Propagation = Literal["Foreground", "Background", "Orphan"]


class Call(Struct, Generic[T], frozen=True):
    """One request and the reading of its answer. `read` raises ApiError for a failure."""

    request: Request
    decode: Callable[[bytes], T]

    def read(self, response: Response) -> T:
        """The answer's value, or the ApiError it carries."""
        if response.status >= 400:
            raise from_response(response.status, response.body)
        return self.decode(response.body)


def get(view: type[O], name: str, namespace: str | None = None) -> Call[O]:
    """One object."""
    return _typed("GET", of(view).path(namespace, name), view)


def list_(
    view: type[O],
    namespace: str | None = None,
    *,
    labels: str = "",
    fields: str = "",
    limit: int = 0,
    continue_: str = "",
    resource_version: str | None = None,
) -> Call[Page[O]]:
    """A page of objects; `resource_version="0"` may be answered from memory."""
    query = _query(
        labelSelector=labels, fieldSelector=fields, limit=limit or None, **{"continue": continue_},
        resourceVersion=resource_version,
    )  # fmt: skip
    return Call(
        Request(method="GET", path=of(view).path(namespace), query=query, headers=_ACCEPT),
        msgspec.json.Decoder(Page[view]).decode,  # type: ignore[valid-type]
    )


def watch(
    resource: Resource,
    namespace: str | None = None,
    *,
    resource_version: str | None = None,
    labels: str = "",
    fields: str = "",
    timeout_seconds: int | None = None,
    send_initial_events: bool = False,
) -> Request:
    """A watch from a revision on; its frames are read by `athanor.wire.watch`."""
    query = _query(
        watch="1", allowWatchBookmarks="true", resourceVersion=resource_version,
        labelSelector=labels, fieldSelector=fields, timeoutSeconds=timeout_seconds,
        sendInitialEvents="true" if send_initial_events else None,
        resourceVersionMatch="NotOlderThan" if send_initial_events else None,
    )  # fmt: skip
    return Request(method="GET", path=resource.path(namespace), query=query, headers=_ACCEPT)


def create(resource: Resource, manifest: JSON, *, dry_run: bool = False) -> Call[JSON]:
    """A new object from a whole manifest."""
    namespace = manifest.get("metadata", {}).get("namespace")
    return _json("POST", resource.path(namespace), manifest, _query(dryRun=dry_run and "All"))


def update(resource: Resource, manifest: JSON, *, subresource: str = "") -> Call[JSON]:
    """Replace an object; the manifest's resourceVersion guards it."""
    meta = manifest["metadata"]
    path = resource.path(meta.get("namespace"), meta["name"], subresource)
    return _json("PUT", path, manifest, ())


def patch(
    resource: Resource,
    name: str,
    namespace: str | None,
    body: Any,
    *,
    type_: Literal["merge", "json", "strategic"] = "merge",
    subresource: str = "",
    dry_run: bool = False,
) -> Call[JSON]:
    """Change the named fields of an object."""
    return _json(
        "PATCH", resource.path(namespace, name, subresource), body,
        _query(dryRun=dry_run and "All"), PATCH_TYPES[type_],
    )  # fmt: skip


def apply(
    resource: Resource,
    manifest: JSON,
    *,
    manager: str,
    force: bool = False,
    subresource: str = "",
    dry_run: bool = False,
) -> Call[JSON]:
    """Server-side apply: this manager wants exactly these fields."""
    meta = manifest["metadata"]
    query = _query(fieldManager=manager, force=force and "true", dryRun=dry_run and "All")
    path = resource.path(meta.get("namespace"), meta["name"], subresource)
    return _json("PATCH", path, manifest, query, PATCH_TYPES["apply"])


def delete(
    resource: Resource,
    name: str,
    namespace: str | None = None,
    *,
    uid: str = "",
    resource_version: str = "",
    grace_seconds: int | None = None,
    propagation: Propagation | None = None,
) -> Call[JSON]:
    """Ask for an object's deletion; `uid` and `resource_version` are preconditions."""
    preconditions = {
        key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value
    }
    options: JSON = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if preconditions:
        options["preconditions"] = preconditions
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if propagation is not None:
        options["propagationPolicy"] = propagation
    return _json("DELETE", resource.path(namespace, name), options, ())


def delete_collection(
    resource: Resource, namespace: str, *, labels: str, fields: str = ""
) -> Call[JSON]:
    """Delete what selectors fit; the answer names what there was.

    Raises ValueError without labels: that would be all there is.
    """
    if not labels:
        raise ValueError(f"labels='': say which {resource.name} to delete")
    query = _query(labelSelector=labels, fieldSelector=fields)
    call = raw("DELETE", resource.path(namespace), query)
    headers = {**call.request.headers, "accept": _NAMES_ONLY}
    return Call(msgspec.structs.replace(call.request, headers=headers), call.decode)


def log(
    pod: str,
    namespace: str,
    *,
    container: str = "",
    follow: bool = False,
    tail: int | None = None,
    since_seconds: int | None = None,
    since: str = "",
    previous: bool = False,
) -> Request:
    """A container's log, every line with its time; lines of the past first.

    `since` is a time (RFC 3339), of which Kubernetes reads the whole seconds.
    """
    query = _query(
        container=container, follow=follow and "true", previous=previous and "true",
        tailLines=None if tail is None else str(tail), timestamps="true",
        sinceSeconds=since_seconds, sinceTime=since and since[:19] + "Z",
    )  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    return Request(method="GET", path=quote(path, safe="/"), query=query)


def text(request: Request) -> Call[bytes]:
    """Any request whose answer is read as it is."""
    return Call(request, bytes)


def raw(
    method: str, path: str, query: Sequence[tuple[str, str]] = (), body: Any = None
) -> Call[JSON]:
    """Any other JSON request, for instance /version or an access review."""
    return _json(method, path, body, tuple(query))


def upload(path: str, data: bytes, *, offset: int, last: bool) -> Call[JSON]:
    """A part of something large, and where it begins; `last`: it is whole then."""
    headers = {**_ACCEPT, "content-type": "application/octet-stream"}
    query = (("offset", str(offset)), *((("last", "true"),) if last else ()))
    request = Request(method="PUT", path=path, query=query, headers=headers, body=data)
    return Call(request, msgspec.json.decode)


_ACCEPT: Mapping[str, str] = {"accept": "application/json"}


def _query(**params: Any) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(value)) for key, value in params.items() if value)


def _typed(method: str, path: str, view: type[O]) -> Call[O]:
    request = Request(method=method, path=quote(path, safe="/"), headers=_ACCEPT)
    return Call(request, msgspec.json.Decoder(view).decode)


def _json(
    method: str, path: str, body: Any, query: tuple[tuple[str, str], ...],
    content_type: str = "application/json",
) -> Call[JSON]:  # fmt: skip
    headers = {**_ACCEPT, "content-type": content_type}
    encoded = b"" if body is None else msgspec.json.encode(body)
    request = Request(
        method=method, path=quote(path, safe="/"), query=query, headers=headers, body=encoded
    )
    return Call(request, msgspec.json.decode)
