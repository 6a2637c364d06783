"""Writes through a second view of stored objects: events.k8s.io/v1 over core/v1 events."""

from __future__ import annotations

import msgspec

from athanor.local.apiserver import errors, patching, read, remove, write
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.local.apiserver.kinds.events import to_core, to_new


def _below(core: Core, call: Call) -> Call:
    """The same request to the stored resource."""
    stored = core.catalog.by_name(call.served.storage)
    if stored is None:
        raise errors.no_resource()
    return msgspec.structs.replace(call, served=stored)


async def create(core: Core, call: Call) -> Outcome:
    """POST."""
    event = write.read_object(call)
    return await write.create_object(core, _below(core, call), to_core(event))


async def update(core: Core, call: Call) -> Outcome:
    """PUT."""
    event = to_core(write.read_object(call))
    return await write.change(core, _below(core, call), lambda _: event)


async def patch(core: Core, call: Call) -> Outcome:
    """PATCH, of the event as this view shows it."""
    change = patching.reader(call)
    return await write.change(core, _below(core, call), lambda old: to_core(change(to_new(old))))


async def delete(core: Core, call: Call) -> Outcome:
    """DELETE."""
    return await remove.delete(core, _below(core, call))


async def delete_collection(core: Core, call: Call) -> Outcome:
    """DELETE of a collection."""
    return await remove.delete_collection(core, _below(core, call), read.list_page(core, call))
