"""Watch: the log after a revision as frames; initial events, bookmarks, selectors, time-outs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core, decode
from athanor.local.apiserver.read import integer_param, revision_param
from athanor.local.apiserver.select import Selection, selection
from athanor.local.store.history import Watch
from athanor.local.store.model import Batch, Change, ChangeType, Expired
from athanor.wire import watch as frames
from athanor.wire.request import Request
from athanor.wire.status import ApiError

TIMEOUT = 2700.0
"""Seconds a watch lasts when the client does not say."""
BOOKMARK_EVERY = 55.0
"""Seconds of silence after which a watch that asked for bookmarks gets one."""
CHUNK = 500
"""Initial events sent at once."""

Show = Callable[[bytes], bytes]
"""How an object is shown to this watcher: as it is, as metadata only, as a table row."""


class Plan:
    """What one watch has asked for, checked. Raises ApiError.

    `first`: how the first object is shown, when that differs from the others.
    """

    def __init__(self, core: Core, call: Call, show: Show | None, shape: str) -> None:
        request = call.request
        self.core, self.call, self.show, self.shape = core, call, show, shape
        self.first: Show | None = None
        self.selection: Selection = selection(request, call.target, call.served)
        self.bookmarks = _true(request, "allowWatchBookmarks")
        self.initial = request.param("sendInitialEvents")
        self.begins = self.initial is not None and _true(request, "sendInitialEvents")
        self.match = request.param("resourceVersionMatch")
        self.asked = revision_param(request)
        self.namespace = (call.target.namespace or None) if call.resource.namespaced else None
        self.timeout = max(0.0, float(integer_param(request, "timeoutSeconds") or TIMEOUT))
        self._check()

    def _check(self) -> None:
        field, why = "resourceVersionMatch", ""
        if self.call.request.param("continue"):
            why = "resourceVersionMatch is forbidden when continue is provided"
        elif self.initial is not None and self.match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        elif self.initial is None and self.match:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        if not why:
            return
        causes = [errors.not_allowed(field, why)]
        if self.match and self.match != "NotOlderThan":
            causes.append(errors.unsupported(field, self.match, ["NotOlderThan"]))
        raise errors.options("ListOptions", causes)


def frames_of(plan: Plan) -> AsyncIterator[bytes]:
    """Chunks of frames until the time is up, the reader leaves, or the log moves on too far.

    The watch is opened here and now, so that nothing written afterwards is missed.
    """
    core, call = plan.core, plan.call
    key, current = call.served.key, core.store.revision
    listed = plan.begins or (plan.initial is None and not plan.asked)
    if plan.asked > current:
        problem = errors.too_large_version(plan.asked, current)
        return _failed(problem)
    if listed:
        rows = [
            row
            for row in core.store.rows(key, plan.namespace)
            if plan.selection.everything or plan.selection.matches(row.body)
        ]
        initial = [row.body for row in rows]
        since = current
    else:
        initial, since = [], plan.asked or current
    try:
        watch = core.store.watch(key, plan.namespace, since)
    except Expired as gone:
        return _failed(errors.expired(gone.message))
    ends = plan.begins and plan.bookmarks
    return _follow(plan, watch, initial, ends=ends)


async def _failed(problem: ApiError) -> AsyncIterator[bytes]:
    yield frames.error(problem)


async def _follow(
    plan: Plan, watch: Watch, initial: Sequence[bytes], *, ends: bool
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    timer = loop.call_later(plan.timeout, watch.close)
    try:
        for start in range(0, len(initial), CHUNK):
            yield b"".join(
                frames.encode("ADDED", _shown(plan, body))
                for body in initial[start : start + CHUNK]
            )
        if ends:
            yield _bookmark(plan, watch.revision, initial_end=True)
        due = loop.time() + BOOKMARK_EVERY
        while True:
            chunk = b""
            try:
                async with asyncio.timeout_at(due):
                    chunk = _encode(plan, await anext(watch))
            except TimeoutError:
                pass
            except StopAsyncIteration:
                return
            if not chunk and loop.time() < due:
                continue  # changes that this watch does not select are silence to it
            due = loop.time() + BOOKMARK_EVERY
            if chunk or plan.bookmarks:
                yield chunk or _bookmark(plan, watch.revision)
    except Expired as gone:
        yield frames.error(errors.expired(gone.message))
    finally:
        timer.cancel()
        watch.close()


def _bookmark(plan: Plan, revision: int, *, initial_end: bool = False) -> bytes:
    resource = plan.call.resource
    return frames.bookmark(resource.api_version, resource.kind, revision, initial_end=initial_end)


def _shown(plan: Plan, body: bytes) -> bytes:
    show = plan.first or plan.show
    plan.first = None
    return body if show is None else show(body)


def _encode(plan: Plan, batch: Batch) -> bytes:
    """The frames of a batch; made once for all watchers that ask the same."""
    everything = plan.selection.everything
    asked = (plan.shape, None if everything else plan.selection, plan.first is not None)
    chunk = batch.memo.get(asked)
    if chunk is None:
        if everything:
            parts = [frames.encode(c.type, _shown(plan, c.body)) for c in batch]
        else:
            parts = [
                frames.encode(seen[0], _shown(plan, seen[1]))
                for c in batch
                if (seen := _seen(plan.selection, c)) is not None
            ]
        chunk = batch.memo[asked] = b"".join(parts)
    return chunk


def _seen(selection: Selection, change: Change) -> tuple[ChangeType, bytes] | None:
    """How a change looks through a selector: objects that leave it are deleted for the reader."""
    before = change.previous is not None and selection.matches(change.previous)
    if change.type == "DELETED":
        return ("DELETED", change.body) if before else None
    now = selection.matches(change.body)
    if now:
        return ("MODIFIED" if before else "ADDED", change.body)
    if not before or change.previous is None:
        return None
    last = decode(change.previous)
    last["metadata"]["resourceVersion"] = str(change.revision)
    return "DELETED", msgspec.json.encode(last)


def _true(request: Request, name: str) -> bool:
    """Whether a parameter is there and says anything but no, as Kubernetes reads them."""
    said = request.param(name)
    return said is not None and said.lower() not in ("0", "false")
