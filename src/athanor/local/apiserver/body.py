"""Request bodies: JSON, YAML or protobuf to an object, with what a strict reader minds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from athanor.api.meta import JSON
from athanor.local.apiserver.errors import bad
from athanor.wire import protobuf
from athanor.wire.status import ApiError

LIMIT = 3 * 1024 * 1024
"""Largest request body, in bytes, as a kube-apiserver takes it."""
OBJECT_LIMIT = 1536 * 1024
"""Largest stored object, in bytes (etcd's own limit)."""


class _Loader(yaml.CSafeLoader):
    """YAML as JSON has it: a date is a string."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for key, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def media_type(header: str | None) -> str:
    """A content type without parameters, in lower case."""
    return (header or "").partition(";")[0].strip().lower()


def parse(raw: bytes, content_type: str, kind: str) -> Any:
    """The value of a body. Raises ApiError for what cannot be read."""
    if len(raw) > LIMIT:
        raise ApiError(
            "RequestEntityTooLarge",
            f"Request entity too large: limit is {LIMIT}",
        )
    media = media_type(content_type)
    if media in ("application/yaml", "application/apply-patch+yaml") and raw[:1] != b"{":
        return _yaml(raw, kind)
    if media in _JSON:
        try:
            return msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError) as wrong:
            raise _unreadable(raw, kind, f"json parse error: {wrong}") from None
    if media == protobuf.MEDIA:
        try:
            return protobuf.decode(raw)
        except protobuf.OnlyJson as wrong:
            raise ApiError("UnsupportedMediaType", f"{wrong}: send application/json") from None
        except protobuf.Unreadable as wrong:
            raise bad(
                f"the object provided is unrecognized (must be of type {kind}): {wrong}"
            ) from None
    raise ApiError(
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml",
    )


_JSON = frozenset(
    ("", "application/json", "application/merge-patch+json", "application/json-patch+json",
     "application/strategic-merge-patch+json", "application/yaml", "application/apply-patch+yaml")
)  # fmt: skip


def _yaml(raw: bytes, kind: str) -> Any:
    try:
        # A CSafeLoader builds plain values only.
        value = yaml.load(raw, Loader=_Loader)
        if b"&" in raw and _values(value, {}) > len(raw) + _ALIASED:
            raise ValueError("its aliases stand for too many values")
        return msgspec.json.decode(msgspec.json.encode(value))
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as wrong:
        said = " ".join(str(wrong).split())
        raise _unreadable(raw, kind, f"error converting YAML to JSON: {said}") from None


_ALIASED = 100_000
"""How many more values than bytes a YAML text may stand for by its aliases."""


def _values(value: Any, known: dict[int, int]) -> int:
    """How many values there are once aliases are written out; each is visited once."""
    if not isinstance(value, dict | list):
        return 1
    if (count := known.get(id(value))) is not None:
        return count
    known[id(value)] = LIMIT  # an alias of something around it never ends
    below = value.values() if isinstance(value, dict) else value
    known[id(value)] = count = 1 + sum(_values(one, known) for one in below)
    return count


def _unreadable(raw: bytes, kind: str, why: str) -> ApiError:
    start = raw[:64].hex() or "<empty>"
    return bad(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get "
        f"version/kind; {why} ({start})"
    )


def duplicates(raw: bytes, value: Any) -> Sequence[str]:
    """Paths of keys that a JSON body says twice.

    A compact body that encodes back to the same length cannot have any; only others are read
    again, slowly.
    """
    if raw[:1] != b"{" or len(msgspec.json.encode(value)) == len(raw):
        return ()
    found: list[str] = []
    try:
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except ValueError:
        return ()
    _walk(pairs, "", found)
    return found


class _Pairs(list[tuple[str, Any]]):
    """One JSON object as written."""


def _walk(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, inner in value:
            at = f"{path}.{key}" if path else key
            if key in seen:
                found.append(at)
            seen.add(key)
            _walk(inner, at, found)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _walk(inner, f"{path}[{i}]", found)


def as_object(value: Any, raw: bytes, kind: str) -> JSON:
    """The value when it is a JSON object. Raises BadRequest otherwise."""
    if not isinstance(value, dict):
        names = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
        word = names.get(type(value), "null")
        raise _unreadable(raw, kind, f"json parse error: a JSON {word} is no object")
    return value
