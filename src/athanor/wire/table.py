"""Tables (meta.k8s.io/v1) and PartialObjectMetadata: lists as kubectl asks for them.

Works on the bytes of stored objects and gives bytes: a page is decoded and printed row by row,
and never held as one tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.wire.printing.builtin import DEFAULT, PRINTERS, Cells, decode
from athanor.wire.printing.duration import since
from athanor.wire.printing.jsonpath import compile_path
from athanor.wire.printing.pods import Pod
from athanor.wire.status import ApiError

Include = Literal["None", "Metadata", "Object"]

_encode = msgspec.json.encode
_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'
_WORDS = {
    "Name": "Name of the object, unique in its namespace.",
    "Age": "How long ago the object was created.",
    "Created At": "When the object was created.",
    "Status": "How the object is.",
    "Ready": "How many containers are ready, of how many.",
    "Restarts": "How often containers were restarted.",
}
_FINISHED: Mapping[str, bytes] = {
    "Succeeded": _encode(
        [{"type": "Completed", "status": "True", "reason": "Succeeded",
          "message": "The pod has completed successfully."}]
    ),
    "Failed": _encode(
        [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]
    ),
}  # fmt: skip


class Layout(Struct, frozen=True):
    """What a resource's table looks like: its encoded column definitions, and the cells."""

    columns: bytes
    cells: Cells
    read: Callable[[bytes], Any]
    """Gives from an object's JSON what `cells` takes: its tree, or a Pod."""


def layout(resource: str, columns: Sequence[JSON] | None = None) -> Layout:
    """The layout of a resource by its name (`pods`, `gangs.athanor.dev`).

    `columns` are a CRD version's additionalPrinterColumns ([] for one without); None for the
    built-in kinds.
    """
    if columns is not None:
        return _custom(columns)
    printer = PRINTERS.get(resource, DEFAULT)
    definitions = [_definition(*column) for column in printer.columns]
    return Layout(_encode(definitions), printer.cells, printer.read)


def _definition(
    name: str, type_: str, priority: int, description: str = "", format_: str = ""
) -> JSON:
    return {
        "name": name,
        "type": type_,
        "format": "name" if name == "Name" else format_,
        "description": description or _WORDS.get(name, f"{name} of the object."),
        "priority": priority,
    }


_AGE: JSON = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _custom(columns: Sequence[JSON]) -> Layout:
    definitions = [_definition("Name", "string", 0)]
    readers = []
    for column in columns or [_AGE]:
        type_ = column.get("type", "string")
        definitions.append(
            _definition(
                column.get("name", ""), type_, column.get("priority", 0),
                column.get("description", ""), column.get("format", ""),
            )
        )  # fmt: skip
        readers.append(_reader(column.get("jsonPath", ""), type_))

    def cells(obj: JSON, now: float) -> list[Any]:
        return [obj["metadata"].get("name", ""), *(reader(obj, now) for reader in readers)]

    return Layout(_encode(definitions), cells, decode)


def _reader(path: str, type_: str) -> Callable[[JSON, float], Any]:
    try:
        find = compile_path(path)
    except ValueError:
        return _nothing  # a CRD's check refuses such paths; old ones print nothing
    cell: Callable[[Any, float], Any] = _CELLS.get(type_, _text)

    def read(obj: JSON, now: float) -> Any:
        found = find(obj)
        return cell(found[0], now) if found else None

    return read


def _nothing(_: JSON, __: float) -> None:
    return None


def _text(value: Any, _: float) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return _encode(value).decode()
    return "<no value>" if value is None else str(value)


def _integer(value: Any, _: float) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _number(value: Any, _: float) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _boolean(value: Any, _: float) -> bool | None:
    return value if isinstance(value, bool) else None


def _date(value: Any, now: float) -> str | None:
    return since(value, now) if isinstance(value, str) else None


_CELLS: Mapping[str, Callable[[Any, float], Any]] = {
    "integer": _integer, "number": _number, "boolean": _boolean, "date": _date, "string": _text,
}  # fmt: skip


# --- whole answers ----------------------------------------------------------------------------


def table(
    shape: Layout,
    bodies: Iterable[bytes],
    now: float,
    *,
    include: Include = "Metadata",
    meta: JSON | None = None,
    headed: bool = True,
) -> bytes:
    """A Table of objects, given as their JSON. `now`: seconds since the epoch, for ages.

    `meta` is the list's metadata (resourceVersion, continue, remainingItemCount); None: the only
    object's own version. `headed`:
    watches send the columns with their first event only.
    """
    bodies = list(bodies)
    rows = b",".join([_row(shape, body, now, include) for body in bodies])
    if meta is None and len(bodies) == 1:
        meta = {"resourceVersion": _version(bodies[0]).metadata.resourceVersion}
    return b"".join(
        (
            b'{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":', _encode(meta or {}),
            b',"columnDefinitions":', shape.columns if headed else b"null", b',"rows":[', rows,
            b"]}",
        )
    )  # fmt: skip


def _row(shape: Layout, body: bytes, now: float, include: Include) -> bytes:
    obj = shape.read(body)
    parts = [b'{"cells":', _encode(shape.cells(obj, now))]
    is_pod = isinstance(obj, Pod)
    if is_pod and (conditions := _FINISHED.get(obj.status.phase)) is not None:
        parts += (b',"conditions":', conditions)
    if include == "Metadata":
        meta = obj.metadata if is_pod else _encode(obj["metadata"])
        parts += (b',"object":', _PARTIAL, meta, b"}}")
    elif include == "Object":
        parts += (b',"object":', body, b"}")
    else:
        parts.append(b',"object":null}')
    return b"".join(parts)


class _Meta(Struct):
    resourceVersion: str = ""


class _Versioned(Struct):
    metadata: _Meta


_version = msgspec.json.Decoder(_Versioned).decode


class _Head(Struct):
    metadata: msgspec.Raw


_head = msgspec.json.Decoder(_Head).decode


def partial(body: bytes) -> bytes:
    """One object's PartialObjectMetadata."""
    return b"".join((_PARTIAL, _head(body).metadata, b"}"))


# --- what a client accepts --------------------------------------------------------------------

Shown = Literal["JSON", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]


def shown_as(accept: str | None) -> Shown:
    """What form an Accept header asks for; the first one that can be given.

    Raises NotAcceptable when none can: protobuf, CBOR, other versions.
    """
    if not accept:
        return "JSON"
    for choice in accept.split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        if media not in ("application/json", "*/*", "application/*"):
            continue
        asked = dict(p.split("=", 1) for p in parameters if "=" in p)
        form = asked.get("as")
        if form is None:
            return "JSON"
        if (asked.get("g"), asked.get("v")) != ("meta.k8s.io", "v1"):
            continue
        if form == "Table":
            return "Table"
        if form == "PartialObjectMetadata":
            return "PartialObjectMetadata"
        if form == "PartialObjectMetadataList":
            return "PartialObjectMetadataList"
    raise ApiError(
        "NotAcceptable",
        "only the following media types are accepted: application/json, "
        "application/json;as=Table;v=v1;g=meta.k8s.io, "
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io, "
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    )
