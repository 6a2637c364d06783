"""Writes through a second view of stored objects: events.k8s.io/v1 over core/v1 events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from athanor.local.apiserver import body, errors, patching, read, remove, write
from athanor.local.apiserver.core import Call, Core, Outcome
from athanor.local.apiserver.kinds.events import to_core, to_new
from athanor.wire.status import ApiError

_Write = Callable[[Core, Call, Call], Awaitable[Outcome]]


def _through(do: _Write) -> Callable[[Core, Call], Awaitable[Outcome]]:
    """A write of the stored resource, whose errors name the resource that was asked."""

    async def run(core: Core, call: Call) -> Outcome:
        stored = core.catalog.by_name(call.served.storage)
        if stored is None:
            raise errors.no_resource()
        served = msgspec.structs.replace(stored, strategy=call.served.strategy)
        try:
            return await do(core, call, msgspec.structs.replace(call, served=served))
        except ApiError as refused:
            own, name = stored.resource.name, call.resource.name
            if refused.kind != own or refused.group:
                raise
            message = refused.message.replace(f'{own} "', f'{name} "', 1)
            raise ApiError(
                refused.reason, message, kind=own, group=call.resource.group, name=refused.name,
                causes=refused.causes,
            ) from None  # fmt: skip

    return run


@_through
async def create(core: Core, call: Call, below: Call) -> Outcome:
    """POST."""
    event = write.read_object(call)
    return await write.create_object(core, below, to_core(event))


@_through
async def update(core: Core, call: Call, below: Call) -> Outcome:
    """PUT; it creates what is not there."""
    event = to_core(write.read_object(call))
    if core.store.latest(below.key()) is None:
        return await write.create_object(core, below, event)
    return await write.change(core, below, lambda _: event)


@_through
async def patch(core: Core, call: Call, below: Call) -> Outcome:
    """PATCH, of the event as this view shows it."""
    if body.media_type(call.request.headers.get("content-type")) == patching.APPLY:
        return await patching.apply(core, call, below, (to_new, to_core))
    change = patching.reader(call)
    return await write.change(core, below, lambda old: to_core(change(to_new(old))))


@_through
async def delete(core: Core, call: Call, below: Call) -> Outcome:
    """DELETE."""
    done = await remove.delete(core, below)
    said = msgspec.json.decode(done.body)
    said.get("details", {})["group"] = call.resource.group
    return msgspec.structs.replace(done, body=msgspec.json.encode(said))


@_through
async def delete_collection(core: Core, call: Call, below: Call) -> Outcome:
    """DELETE of a collection."""
    done = await remove.delete_collection(core, below, read.list_page(core, call))
    found = msgspec.json.decode(done.body)
    if "items" in found:
        found["items"] = [to_new(event) for event in found["items"]]
        for event in found["items"]:
            event.pop("apiVersion")
            event.pop("kind", None)
        found["apiVersion"] = call.resource.api_version
    return msgspec.structs.replace(done, body=msgspec.json.encode(found))
