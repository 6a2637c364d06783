"""The server's own writes: the same rules as everyone's, in the name of the system."""

from __future__ import annotations

from collections.abc import Callable

from athanor.api.meta import JSON
from athanor.local.apiserver import write
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.core import Call, Core
from athanor.local.apiserver.remove import Options, delete_object
from athanor.local.apiserver.route import Target
from athanor.local.store.model import Key
from athanor.wire.request import Request, User
from athanor.wire.status import ApiError

SYSTEM = User(name="system:apiserver", groups=("system:masters",))


def system_call(served: Served, key: Key, subresource: str = "") -> Call:
    """A request of the server to itself about one object."""
    r = served.resource
    path = r.path(key.namespace, key.name, subresource)
    target = Target(
        "update", path, r.group, r.version, key.namespace, r.plural, key.name, subresource
    )
    request = Request(method="PUT", path=path)
    return Call(request=request, target=target, user=SYSTEM, served=served, clean=True)


async def change(
    core: Core, call: Call, make: Callable[[JSON], JSON], *, missing: bool = False
) -> None:
    """Replace an object by what `make` says. `missing`: that it is gone is no error."""
    try:
        await write.change(core, call, make)
    except ApiError as refused:
        if not missing or refused.reason != "NotFound":
            raise


async def create(core: Core, served: Served, obj: JSON) -> None:
    """Make an object unless it exists."""
    meta = obj["metadata"]
    key = Key(served.key, meta.get("namespace", ""), meta["name"])
    obj = {"kind": served.resource.kind, "apiVersion": served.resource.api_version, **obj}
    try:
        await write.create_object(core, system_call(served, key), obj)
    except ApiError as refused:
        if refused.reason != "AlreadyExists":
            raise


async def remove(
    core: Core, call: Call, *, uid: str = "", propagation: str = "", grace: int | None = None
) -> None:
    """Delete an object; that it is gone, or another by now, is no error."""
    options = Options(grace, propagation, uid)
    try:
        await delete_object(core, call, call.target.name, options)
    except ApiError as refused:
        if refused.reason not in ("NotFound", "Conflict"):
            raise
