"""Uploading the code that a job takes along (see `packing` for how it is made)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from athanor.api.gateway import PART, ROOT, Bundle
from athanor.sdk.jobs import Scope
from athanor.sdk.steps import Op, ask
from athanor.wire import calls
from athanor.wire.status import ApiError

_CROSSED = 1000  # parts that others may have sent meanwhile: more than there are


class Packed(NamedTuple):
    """A bundle that is ready to go: its name, its bytes, what is in it."""

    name: str
    data: bytes
    files: int

    @property
    def digest(self) -> str:
        """The name without its kind."""
        return self.name.removeprefix("sha256:")


def upload(scope: Scope, packed: Packed, *, namespace: str | None = None) -> Op[int]:
    """Store a bundle where jobs of the namespace find it; how many bytes went.

    What is there already is not sent again. Raises ApiError: Forbidden, NotFound where no gateway
    is.
    """
    path = f"{ROOT}/namespaces/{namespace or scope.namespace}/bundles/{packed.digest}"
    try:
        found = yield from ask(calls.raw("GET", path))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        said = "no gateway takes code here: use --directory, --git or an image"
        raise ApiError("NotFound", said) from None
    state = msgspec.convert(found, Bundle)
    sent = crossed = 0
    while not state.complete:
        at = state.size if state.size <= len(packed.data) else 0
        data = packed.data[at : at + PART]
        last = at + len(data) == len(packed.data)
        try:
            found = yield from ask(calls.upload(path, data, offset=at, last=last))
            sent += len(data)
        except ApiError as error:
            crossed += 1
            if error.reason != "Conflict" or crossed > _CROSSED:
                raise
            found = yield from ask(calls.raw("GET", path))  # somebody else sends the same
        state = msgspec.convert(found, Bundle)
    return sent
