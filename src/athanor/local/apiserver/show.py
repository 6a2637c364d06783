"""How objects are shown: as they are, as metadata only, as a Table, in another version, as YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import yaml

from athanor.api.registry import Resource
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core, decode
from athanor.local.apiserver.kinds.events import shown as event_shown
from athanor.local.apiserver.negotiate import PLAIN, Wish, accept
from athanor.local.apiserver.read import Page, encode_list, list_meta, without_kind
from athanor.wire import table as tables
from athanor.wire.request import Response
from athanor.wire.status import ApiError

_PARTIAL = "PartialObjectMetadata"

View = Callable[[bytes], bytes]
"""One stored object's JSON → what the client gets to see."""


def wish_of(call: Call) -> Wish:
    """What the client wants to read. Raises NotAcceptable."""
    header = call.request.headers.get("accept", "")
    return PLAIN if header == "application/json" else accept(header)


def view_of(core: Core, call: Call, wish: Wish, *, headed: bool = True) -> View | None:
    """How single objects of this request are shown; None: as they are stored.

    `headed`: a table says its columns.
    """
    convert = _convert(call)
    if wish.as_ == "Table":
        layout, include = _layout(call), _include(call)
        return lambda body: tables.table(
            layout, [convert(body) if convert else body], core.clock.now(), include=include,
            headed=headed,
        )  # fmt: skip
    if wish.as_.startswith("PartialObjectMetadata"):
        return tables.partial
    return convert


def _convert(call: Call) -> View | None:
    """How a stored object becomes one of the kind and version asked for, if it is another."""
    if call.served.storage:
        return event_shown
    return partial(versioned, call.resource) if call.served.hub else None


def versioned(resource: Resource, body: bytes) -> bytes:
    """The JSON of a stored object in another version of its kind: only its name changes."""
    head = b'{"kind":"%b","apiVersion":"' % resource.kind.encode()
    if not body.startswith(head):
        return body
    return head + resource.api_version.encode() + body[body.index(b'"', len(head)) :]


def _layout(call: Call) -> tables.Layout:
    columns = list(call.served.columns) if call.served.custom else None
    return tables.layout(call.resource.name, columns)


def _include(call: Call) -> tables.Include:
    asked = call.request.param("includeObject") or "Metadata"
    if asked in ("None", "Metadata", "Object"):
        return asked  # type: ignore[return-value]
    said = f"Invalid value: {errors.shown(asked)}: must be 'Metadata', 'Object', 'None', or empty"
    raise errors.bad(f"Unable to convert to Table as requested: includeObject: {said}")


def shape_of(call: Call, wish: Wish) -> str:
    """A name for the form, so that watchers of one form share its encoding."""
    resource, include = call.resource, call.request.param("includeObject") or ""
    return f"{resource.name}:{resource.version}:{wish.as_}:{include}"


def one(core: Core, call: Call, body: bytes, code: int = 200) -> Response:
    """The answer with one object."""
    wish = wish_of(call)
    if wish is PLAIN and not call.served.storage and not call.served.hub:
        return Response(status=code, body=body)
    if wish.as_ == f"{_PARTIAL}List" and _is_object(call, body):
        raise ApiError(
            "NotAcceptable",
            f"you requested {wish.as_}, but the requested object is not a list "
            f"(*core.{call.resource.kind})",
        )
    view = view_of(core, call, wish) if _is_object(call, body) else None
    return _written(view(body) if view is not None else body, wish, code)


def _is_object(call: Call, body: bytes) -> bool:
    """Whether this is an object of the kind asked about, and no Status or Scale."""
    kind = b'{"kind":"%s"' % call.resource.kind.encode()
    return body.startswith(kind) and call.served.stored


def many(core: Core, call: Call, page: Page) -> Response:
    """The answer with a list."""
    wish = wish_of(call)
    kind, version = f"{call.resource.kind}List", call.resource.api_version
    if wish.as_ == "Table":
        bodies: Sequence[bytes] = [row.body for row in page.rows]
        if (convert := _convert(call)) is not None:
            bodies = [convert(body) for body in bodies]
        body = tables.table(
            _layout(call), bodies, core.clock.now(), include=_include(call), meta=list_meta(page)
        )
        return _written(body, wish, 200)
    if wish.as_.startswith("PartialObjectMetadata"):
        items = [tables.partial(row.body) for row in page.rows]
        return _written(encode_list(f"{_PARTIAL}List", "meta.k8s.io/v1", page, items), wish, 200)
    view = _convert(call)
    items = [view(row.body) if view is not None else row.body for row in page.rows]
    if not call.served.custom:
        items = without_kind(items)
    return _written(encode_list(kind, version, page, items), wish, 200)


def _written(body: bytes, wish: Wish, code: int) -> Response:
    if wish.yaml:
        text = yaml.safe_dump(decode(body), sort_keys=False, allow_unicode=True)
        return Response(status=code, body=text.encode(), content_type="application/yaml")
    return Response(status=code, body=body)
