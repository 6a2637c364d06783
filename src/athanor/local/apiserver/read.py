"""Get and list: bytes from memory as they are; decoded only when a selector or a table asks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core
from athanor.local.apiserver.select import Selection, selection
from athanor.local.store.model import Key, Row
from athanor.wire.request import Request
from athanor.wire.status import ApiError

_HEAD = re.compile(rb'\{"kind":"[^"]+","apiVersion":"[^"]+",')


class Page(Struct, frozen=True):
    """Some rows of a list at one revision, and how to go on."""

    rows: Sequence[Row]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class _Token(Struct, frozen=True):
    """What a continue token holds."""

    v: str
    rv: int
    start: tuple[str, str]


def get(core: Core, call: Call) -> Row:
    """One object. Raises NotFound."""
    row = core.store.get(call.key())
    if row is None:
        raise errors.not_found(call.resource, call.target.name)
    asked = revision_param(call.request)
    if asked > core.store.revision:
        raise errors.too_large_version(asked, core.store.revision)
    return row


def list_page(core: Core, call: Call) -> Page:
    """The rows a list asks for. Raises BadRequest, Invalid, Expired, Timeout."""
    request = call.request
    integer_param(request, "timeoutSeconds")
    limit = integer_param(request, "limit")
    chosen = selection(request, call.target, call.served)
    token = request.param("continue")
    match, asked = _check_versions(request, token)
    namespace = call.target.namespace if call.resource.namespaced else ""
    if token:
        place = _read_token(token)
        revision, start = place.rv, (place.start[0], place.start[1])
        rows = _rows_at(core, call, namespace or None, revision, continued=True)
    else:
        start = None
        current = core.store.revision
        if asked > current:
            raise errors.too_large_version(asked, current)
        if match == "Exact":
            revision = asked
            rows = _rows_at(core, call, namespace or None, asked)
        else:
            revision = current
            rows = _rows(core, call, namespace, chosen)
    if start is not None:
        rows = [row for row in rows if (row.key.namespace, row.key.name) > start]
    return _page(rows, chosen, revision, limit)


def _rows(core: Core, call: Call, namespace: str, chosen: Selection) -> Sequence[Row]:
    """The rows now; a selector that names one object is a look-up."""
    name = chosen.fields.exactly("metadata.name")
    if name is not None and (namespace or not call.resource.namespaced):
        row = core.store.get(Key(call.served.key, namespace, name))
        return [] if row is None else [row]
    return core.store.rows(call.served.key, namespace or None)


def _rows_at(
    core: Core, call: Call, namespace: str | None, revision: int, *, continued: bool = False
) -> Sequence[Row]:
    try:
        return core.store.rows_at(call.served.key, namespace, revision)
    except ApiError:
        if not continued:
            raise errors.expired() from None
        raise errors.expired(
            "The provided continue parameter is too old to display a consistent list result. You "
            "can start a new list without the continue parameter."
        ) from None


def _page(rows: Sequence[Row], chosen: Selection, revision: int, limit: int) -> Page:
    if chosen.everything:
        page = rows if limit <= 0 else rows[:limit]
        left = len(rows) - len(page)
        if not left:
            return Page(page, revision)
        return Page(page, revision, _write_token(page[-1], revision), left)
    page = []
    for seen, row in enumerate(rows, 1):
        if chosen.matches(row.body):
            page.append(row)
            if len(page) == limit and seen < len(rows):  # whether more match is not looked up
                return Page(page, revision, _write_token(row, revision))
    return Page(page, revision)


def encode_list(
    kind: str, api_version: str, page: Page, items: Sequence[bytes] | None = None
) -> bytes:
    """The list object around the rows' own bytes."""
    head = msgspec.json.encode(
        {"kind": kind, "apiVersion": api_version, "metadata": list_meta(page)}
    )
    bodies = [row.body for row in page.rows] if items is None else items
    start, end = head[:-1] + b',"items":[', b"]}"
    if not bodies:
        return start + end
    # long lists are copied once, not three times
    first, last = start + bodies[0], bodies[-1] + end
    if len(bodies) == 1:
        return first + end
    return b",".join((first, *bodies[1:-1], last))


def without_kind(bodies: Sequence[bytes]) -> list[bytes]:
    """Built-in objects as they stand in a list, which says their kind once."""
    if not bodies:
        return []
    first = bodies[0]
    head = first[: first.find(b'"metadata":')]
    start = len(head)
    if not _HEAD.fullmatch(head):
        return list(bodies)
    return [b"{" + body[start:] if body.startswith(head) else body for body in bodies]


def list_meta(page: Page) -> dict[str, str | int]:
    """The metadata of a list."""
    meta: dict[str, str | int] = {"resourceVersion": str(page.revision)}
    if page.continue_:
        meta["continue"] = page.continue_
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    return meta


def _check_versions(request: Request, token: str | None) -> tuple[str, int]:
    """(resourceVersionMatch, resourceVersion). Raises Invalid for combinations that cannot be."""
    match, version = request.param("resourceVersionMatch") or "", request.param("resourceVersion")
    if request.param("sendInitialEvents") is not None:
        detail = "sendInitialEvents is forbidden for list"
        raise errors.options("ListOptions", [errors.not_allowed("sendInitialEvents", detail)])
    if match:
        field, why = "resourceVersionMatch", ""
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        elif token:
            why = "resourceVersionMatch is forbidden when continue is provided"
        elif match == "Exact" and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        if why:
            raise errors.options("ListOptions", [errors.not_allowed(field, why)])
        if match not in ("Exact", "NotOlderThan"):
            words = ("Exact", "NotOlderThan", "")
            raise errors.options("ListOptions", [errors.unsupported(field, match, words)])
    if token and version and version != "0":
        raise errors.bad("specifying resource version is not allowed when using continue")
    asked = revision_param(request)
    if request.param("limit") and asked and not match:
        match = "Exact" if integer_param(request, "limit") > 0 else ""
    return match, asked


def revision_param(request: Request) -> int:
    """`resourceVersion` as a number, 0 when absent."""
    text = request.param("resourceVersion") or "0"
    if not text.isdigit():
        raise ApiError(
            "BadRequest",
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": '
            "invalid syntax",
        )
    return int(text)


def integer_param(request: Request, name: str) -> int:
    """A parameter as a number, 0 when absent. Raises BadRequest."""
    text = request.param(name)
    if not text:
        return 0
    try:
        return int(text)
    except ValueError:
        why = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise errors.bad(why, name) from None


def _write_token(last: Row, revision: int) -> str:
    token = _Token("athanor/v1", revision, (last.key.namespace, last.key.name))
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _read_token(text: str) -> _Token:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, msgspec.DecodeError, ValueError) as wrong:
        raise errors.bad(f"invalid continue token: continue key is not valid: {wrong}") from None
