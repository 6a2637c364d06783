"""Reads Kubernetes' protobuf bodies: typed Go clients, kubectl's too, write built-in kinds so.

Only requests are read; answers are always JSON, which these clients take as well. The encoding is
proto2's wire format inside the envelope that apimachinery documents for its protobuf serializer:
four bytes, then a message with the type and the object's own bytes. Field numbers come from
`athanor.wire.types.numbers`, field types from the type tables.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from athanor.api.meta import JSON
from athanor.wire.types import catalog, numbers, table

MAGIC = b"k8s\x00"
MEDIA = "application/vnd.kubernetes.protobuf"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64
_EMPTY: tuple[object, ...] = ("", 0, False, None, {})


class Unreadable(ValueError):
    """These bytes are no such message; says why."""


class OnlyJson(Unreadable):
    """The kind has no protobuf form here."""


def decode(body: bytes) -> JSON:
    """The object in a protobuf body. Raises Unreadable."""
    if not body.startswith(MAGIC):
        raise Unreadable("the body does not begin as a Kubernetes protobuf message does")
    envelope = dict(_fields(memoryview(body)[len(MAGIC) :]))
    type_meta = {n: _text(v) for n, v in _fields(_view(envelope.get(1, b"")))}
    version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    group, _, name = version.rpartition("/")
    reference = catalog.reference_of(group, name, kind) or _common(kind)
    if reference is None or reference not in _numbers():
        if not kind:
            raise Unreadable("the body names no kind")
        raise OnlyJson(f"{kind} in {version or 'no version'} is read as JSON only")
    decoded = _message(_view(envelope.get(2, b"")), reference, reference, 0)
    return {"apiVersion": version, "kind": kind, **decoded}


def _common(kind: str) -> str | None:
    """Options are written in the group of the object they are about."""
    return f"meta.{kind}" if kind in ("DeleteOptions", "Status") else None


class _Field(msgspec.Struct, frozen=True):
    """One numbered field: its JSON name and schema, or the message it inlines."""

    name: str
    schema: JSON
    inlined: str = ""
    optional: bool = False


@cache
def _numbers() -> Mapping[str, str]:
    return table.lines(numbers.TEXT)


@cache
def _numbered(message: str, outer: str) -> Mapping[int, _Field]:
    """Field number → field of a message; `outer` is the type whose JSON it is part of."""
    properties = catalog.definition(outer).get("properties", {})
    found = {}
    number = 1
    for word in _numbers().get(message, "").split():
        if word.startswith("@"):
            number = int(word[1:])
            continue
        if word.startswith(">"):
            group = message.partition(".")[0]
            found[number] = _Field("", {}, word[1:] if "." in word else f"{group}.{word[1:]}")
        elif (name := word.lstrip("*")) in properties:
            found[number] = _Field(name, properties[name], optional=name != word)
        number += 1
    return found


def _message(data: memoryview, message: str, outer: str, depth: int) -> JSON:
    """One message as JSON; fields that are not in the tables are left out."""
    if depth > _DEEPEST:
        raise Unreadable(f"{outer} is nested more than {_DEEPEST} deep")
    known = _numbered(message, outer)
    built: JSON = {}
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            continue
        if field.inlined:
            built |= _message(_view(value), field.inlined, outer, depth + 1)
            continue
        schema = field.schema
        if schema.get("type") == "array":
            built.setdefault(field.name, []).extend(_items(value, schema["items"], depth))
        elif "additionalProperties" in schema:
            key, item = _entry(_view(value), schema["additionalProperties"], depth)
            built.setdefault(field.name, {})[key] = item
        else:
            read = _value(value, schema, depth)
            # Go writes every field that is no pointer, so an empty one was never set
            if field.optional or read not in _EMPTY:
                built[field.name] = read
    return built


def _items(value: int | memoryview, schema: JSON, depth: int) -> list[object]:
    """One item, or several numbers packed together."""
    if isinstance(value, memoryview) and schema.get("type") in ("integer", "boolean"):
        items, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            items.append(_value(number, schema, depth))
        return items
    return [_value(value, schema, depth)]


def _entry(data: memoryview, schema: JSON, depth: int) -> tuple[str, object]:
    """One entry of a map; a list as value is wrapped in a message of its own."""
    parts = dict(_fields(data))
    key = _text(parts.get(1, b""))
    if schema.get("type") == "array":
        wrapped = _fields(_view(parts.get(2, b"")))
        return key, [_value(item, schema["items"], depth) for _, item in wrapped]
    return key, _value(parts.get(2, b""), schema, depth)


def _value(value: int | bytes | memoryview, schema: JSON, depth: int) -> object:
    if (reference := schema.get("$ref")) is not None:
        return _message(_view(value), reference, reference, depth + 1)
    form, kind = schema.get("format"), schema.get("type")
    if form == "date-time":
        return _time(_view(value))
    if form == "quantity":
        return next((_text(v) for n, v in _fields(_view(value)) if n == 1), "0")
    if form == "int-or-string":
        parts = dict(_fields(_view(value)))
        return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
    if form == "byte":
        return base64.b64encode(_view(value)).decode()
    if kind == "integer":
        return _signed(value)
    if kind == "boolean":
        return bool(_signed(value))
    if kind == "string":
        return _text(value)
    return _raw(_view(value))


def _raw(data: memoryview) -> object:
    """A message that holds JSON text (FieldsV1, RawExtension)."""
    text = next((bytes(_view(v)) for n, v in _fields(data) if n == 1), b"")
    try:
        return msgspec.json.decode(text) if text else {}
    except msgspec.DecodeError as wrong:
        raise Unreadable(f"a part that should hold JSON does not: {wrong}") from None


def _time(data: memoryview) -> str | None:
    """metav1.Time and MicroTime: seconds and nanoseconds; an empty message is no time."""
    parts = {number: _signed(value) for number, value in _fields(data)}
    if not parts:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=parts.get(1, 0))
    except OverflowError:
        raise Unreadable(f"{parts.get(1)} seconds since 1970 is no time") from None
    micro = parts.get(2, 0) // 1000
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{micro:06d}Z" if micro else "Z")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of a message, in order. Raises Unreadable."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise Unreadable(f"wire type {wire} at byte {at}")
        if at + size > len(data):
            raise Unreadable(f"a field of {size} bytes at byte {at} ends beyond the message")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Unreadable(f"a number is cut off at byte {at}")


def _signed(value: int | bytes | memoryview) -> int:
    if not isinstance(value, int):
        raise Unreadable("bytes stand where a number should")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _view(value: int | bytes | memoryview) -> memoryview:
    if isinstance(value, int):
        raise Unreadable("a number stands where bytes should")
    return memoryview(value)


def _text(value: int | bytes | memoryview) -> str:
    try:
        return bytes(_view(value)).decode()
    except UnicodeDecodeError:
        raise Unreadable("a text is not UTF-8") from None
