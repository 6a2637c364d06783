"""How objects are shown: as they are, as metadata only, as a Table, in another version, as YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import yaml
from msgspec import Raw, Struct

from athanor.local.apiserver.core import Call, decode
from athanor.local.apiserver.kinds.events import shown as event_shown
from athanor.local.apiserver.negotiate import PLAIN, Wish, accept
from athanor.local.apiserver.read import Page, encode_list
from athanor.wire.request import Response

View = Callable[[bytes], bytes]
"""One stored object's JSON → what the client gets to see."""


class _Head(Struct):
    metadata: Raw


_head = msgspec.json.Decoder(_Head)


def wish_of(call: Call) -> Wish:
    """What the client wants to read. Raises NotAcceptable."""
    header = call.request.headers.get("accept", "")
    return PLAIN if header == "application/json" else accept(header)


def only_metadata(body: bytes) -> bytes:
    """The object as meta.k8s.io/v1 PartialObjectMetadata."""
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%s}' % bytes(
        _head.decode(body).metadata
    )


def view_of(call: Call, wish: Wish) -> View | None:
    """How single objects of this request are shown; None: as they are stored."""
    convert = event_shown if call.served.storage == "events" else None
    if wish.as_.startswith("PartialObjectMetadata"):
        return only_metadata
    return convert


def shape_of(call: Call, wish: Wish) -> str:
    """A name for the form, so that watchers of one form share its encoding."""
    return f"{call.served.resource.name}:{wish.as_}"


def one(call: Call, body: bytes, code: int = 200) -> Response:
    """The answer with one object."""
    wish = wish_of(call)
    if wish is PLAIN and not call.served.storage:
        return Response(status=code, body=body)
    view = view_of(call, wish)
    return _written(view(body) if view is not None else body, wish, code)


def many(call: Call, page: Page) -> Response:
    """The answer with a list."""
    wish = wish_of(call)
    view = view_of(call, wish)
    items: Sequence[bytes] | None = None
    if view is not None:
        items = [view(row.body) for row in page.rows]
    if wish.as_ == "PartialObjectMetadataList":
        kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
    else:
        kind, version = f"{call.resource.kind}List", call.resource.api_version
    return _written(encode_list(kind, version, page, items), wish, 200)


def _written(body: bytes, wish: Wish, code: int) -> Response:
    if wish.yaml:
        text = yaml.safe_dump(decode(body), sort_keys=False, allow_unicode=True)
        return Response(status=code, body=text.encode(), content_type="application/yaml")
    return Response(status=code, body=body)
