"""Which objects a list, a watch or a deletecollection is about. Decodes no more than it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from athanor.local.apiserver import errors
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.route import Target
from athanor.wire.request import Request
from athanor.wire.selector import (
    FieldSelector,
    FieldTerm,
    LabelSelector,
    parse_fields,
    parse_labels,
    selectable,
)
from athanor.wire.status import ApiError


class _Meta(Struct):
    labels: Mapping[str, str] | None = None


class _Labelled(Struct):
    metadata: _Meta


_labels = msgspec.json.Decoder(_Labelled)
_whole = msgspec.json.Decoder(dict)


class Selection(Struct, frozen=True):
    """Label and field selectors of one request."""

    labels: LabelSelector
    fields: FieldSelector

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.labels.empty and self.fields.empty

    def matches(self, body: bytes) -> bool:
        """Whether an object, as JSON, is selected.

        A text that does not occur in the JSON at all cannot be a field's value; that spares most
        decoding when a node follows its own pods.
        """
        if not self.fields.empty and any(
            term.equal and term.value.isascii() and term.value.isalnum()
            and term.value.encode() not in body
            for term in self.fields.terms
            if term.value not in ("true", "false")
        ):  # fmt: skip
            return False
        if not self.labels.empty and not self.labels.matches(_labels.decode(body).metadata.labels):
            return False
        return self.fields.empty or self.fields.matches_object(_whole.decode(body))


_T = TypeVar("_T")


def _parsed(parse: Callable[[str | None], _T], request: Request, name: str) -> _T:
    try:
        return parse(request.param(name))
    except ApiError as wrong:
        raise errors.bad(wrong.message, name) from wrong


def selection(request: Request, target: Target, served: Served) -> Selection:
    """The selectors of a request. Raises BadRequest for what cannot be selected by."""
    labels = _parsed(parse_labels, request, "labelSelector")
    fields = _parsed(parse_fields, request, "fieldSelector")
    own = [path.lstrip(".") for path in served.selectable]
    supported = selectable(served.resource.name, own)
    for term in fields.terms:
        if term.path not in supported:
            if served.custom or served.resource.plural in _LISTED:
                raise errors.bad(f"field label not supported: {term.path}", "fieldSelector")
            words = ", ".join(f'"{path}"' for path in supported)
            why = f'"{term.path}" is not a known field selector: only {words}'
            raise errors.bad(why, "fieldSelector")
    if target.name:
        named = FieldTerm("metadata.name", target.name)
        fields = FieldSelector((*fields.terms, named))
    return Selection(labels, fields)


_LISTED = frozenset(("pods", "nodes", "namespaces", "secrets", "services", "events"))
