"""Does what a plan says, in order, and decides nothing.

That a thing exists already (create), is gone already (patch, replace, delete) or has a successor
(delete by uid) is as good as done; who keeps the object is told that it is gone, for a watch that
is cut off does not. A conflict, and every other refusal, goes up: the controller plans again.
A write that got no answer, or a server's error, may have happened all the same: it is in doubt.
Neighbours of one sort in a plan (a gang's Service and pods) go out together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.client.protocol import Client
from athanor.runtime.events import Recorder
from athanor.runtime.plan import (
    Action,
    Bind,
    Create,
    Delete,
    DeleteCollection,
    Evict,
    Patch,
    Plan,
    Record,
    Replace,
)
from athanor.wire import calls
from athanor.wire.status import ApiError

TOGETHER = 64
"""How many requests of one plan are under way at once."""


class Answers(Protocol):
    """Takes what the answers to writes tell of the world."""

    def wrote(self, resource: Resource, answer: bytes) -> None:
        """The object as the server has it now, still encoded."""

    def held(self, resource: Resource, namespace: str, name: str) -> str:
        """The uid of the object as it is known; "" when none is."""

    def gone(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """The server has no object of this name; the one with this uid was known before."""


class _Kind(Struct):
    """What an answer is: the object, or a Status."""

    kind: str = ""


_kind = msgspec.json.Decoder(_Kind).decode


Place = tuple[Resource, str, str]
"""An object by its namespace ("" for none) and name."""


async def apply(
    client: Client, plan: Plan, recorder: Recorder, answers: Answers, doubts: set[Place]
) -> None:
    """Carry the plan out. Raises the first ApiError of the first group that has one.

    Known objects that may or may not have been changed are added to `doubts`.
    """
    for group in _groups(plan.actions):
        if len(group) == 1:
            await _one(client, group[0], recorder, answers, doubts)
        else:
            work = (_one(client, one, recorder, answers, doubts) for one in group)
            await _together(work, len(group))


async def settle(client: Client, answers: Answers, doubts: set[Place]) -> None:
    """Ask how the objects in doubt are now. Raises ApiError; what is not answered stays in doubt.

    Who plans without would guess: room that was given away would be given away again.
    """
    places = list(doubts)
    await _together((_ask(client, answers, doubts, place) for place in places), len(places))


async def _ask(client: Client, answers: Answers, doubts: set[Place], place: Place) -> None:
    resource, namespace, name = place
    held = answers.held(*place)
    try:
        question = calls.raw("GET", resource.path(namespace or None, name))
        answer = await client(calls.text(question.request))
    except ApiError as problem:
        if problem.reason != "NotFound":
            raise
        answers.gone(*place, held)
    else:
        answers.wrote(resource, answer)
    doubts.discard(place)


def _groups(actions: Sequence[Action]) -> Iterator[list[Action]]:
    for _, group in groupby(actions, _sort):
        yield list(group)


def _sort(action: Action) -> tuple[type[Action], str]:
    """Actions of one sort may go out together; kinds beyond the core may need those before."""
    resource = getattr(action, "resource", None)
    return type(action), resource.name if resource is not None and resource.group else ""


async def _together(work: Iterable[Awaitable[None]], count: int) -> None:
    """Do all of it, so many at a time, then raise what went wrong first in its order.

    A task for each would cost a tenth of what a request does.
    """
    left = enumerate(work)
    wrong: dict[int, Exception] = {}

    async def worker() -> None:
        for number, one in left:
            try:
                await one
            except Exception as problem:
                wrong[number] = problem

    await asyncio.gather(*(worker() for _ in range(min(count, TOGETHER))))
    if wrong:
        raise wrong[min(wrong)]


async def _one(
    client: Client, action: Action, recorder: Recorder, answers: Answers, doubts: set[Place]
) -> None:
    match action:
        case Create(resource, manifest):
            call, forgiven = calls.create(resource, manifest), {"AlreadyExists"}
        case Patch():
            call, forgiven = _patch(action), {"NotFound"}
        case Replace():
            call, forgiven = _replace(action), {"NotFound"}
        case Delete():
            call, forgiven = _delete(action), {"NotFound", "Conflict"}
        case Evict():
            call, forgiven = _evict(action), {"NotFound", "Conflict"}
            if not action.insists:
                forgiven.add("TooManyRequests")  # a budget: who plans says when to ask again
        case Bind():
            call, forgiven = _bind(action), {"NotFound", "Conflict"}
        case DeleteCollection():
            call = calls.delete_collection(
                action.resource, action.namespace, labels=action.labels, fields=action.fields
            )
            forgiven = {"Forbidden", "MethodNotAllowed"}  # an older role: it takes longer without
        case Record():
            await recorder.record(client, action)
            return
    name = "" if isinstance(action, Create | DeleteCollection) else action.name
    place = action.resource, getattr(action, "namespace", None) or "", name
    held = answers.held(*place) if name else ""
    try:
        answer = await client(calls.text(call.request))
    except ApiError as problem:
        if isinstance(action, Evict) and action.insists and problem.reason not in forgiven:
            await _one(client, _overruling(action), recorder, answers, doubts)
            return
        if problem.code >= 500 and held:
            doubts.add(place)
        if problem.reason not in forgiven:
            raise
        if problem.reason == "NotFound" and held and problem.name == name:
            answers.gone(*place, held)
        return
    if _kind(answer).kind == action.resource.kind:
        answers.wrote(action.resource, answer)


def _patch(action: Patch) -> calls.Call[JSON]:
    body = action.body
    if action.resource_version:
        meta = {**body.get("metadata", {}), "resourceVersion": action.resource_version}
        body = {**body, "metadata": meta}
    return calls.patch(
        action.resource, action.name, action.namespace, body, subresource=action.subresource
    )


def _replace(action: Replace) -> calls.Call[JSON]:
    manifest: JSON = {
        "apiVersion": action.resource.api_version, "kind": action.resource.kind,
        "metadata": {
            "name": action.name, "namespace": action.namespace,
            "resourceVersion": action.resource_version,
        },
        "status": action.status,
    }  # fmt: skip
    return calls.update(action.resource, manifest, subresource="status")


def _bind(action: Bind) -> calls.Call[JSON]:
    path = action.resource.path(action.namespace, action.name, "binding")
    body = {
        "apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": action.node},
        "metadata": {
            "name": action.name, "namespace": action.namespace,
            **({"uid": action.uid} if action.uid else {}),
        },
    }  # fmt: skip
    return calls.raw("POST", path, body=body)


def _evict(action: Evict) -> calls.Call[JSON]:
    path = action.resource.path(action.namespace, action.name, "eviction")
    body = {
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": action.name, "namespace": action.namespace},
        "deleteOptions": {"preconditions": {"uid": action.uid}} if action.uid else {},
    }  # fmt: skip
    return calls.raw("POST", path, body=body)


def _overruling(action: Evict) -> Delete:
    """The deletion of a pod whose eviction was refused: by a budget, or because there are two."""
    return Delete(
        resource=action.resource, name=action.name, namespace=action.namespace, uid=action.uid
    )


def _delete(action: Delete) -> calls.Call[JSON]:
    return calls.delete(
        action.resource,
        action.name,
        action.namespace,
        uid=action.uid,
        grace_seconds=action.grace_seconds,
        propagation=action.propagation,
    )
