"""Runs one controller: keys come in through changes, go through observe → plan → apply one at a
time per key, and come back when a plan asks for it or an apply fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from athanor.api.meta import Object
from athanor.api.registry import Resource
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.runtime.apply import Answers, Place, apply, settle
from athanor.runtime.cache import Cache, Caches, Changed, Key
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.events import Recorder
from athanor.runtime.queue import WorkQueue
from athanor.wire.status import ApiError

log = logging.getLogger(__name__)

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object


QUIET, SILENCE = 0.05, 2.0
"""Seconds without a change after which a key rests no longer, for what came was the last of it; and
so many times as long as its last look took: changes that come one by one have their price, too.
"""


class Measures(Struct, kw_only=True):
    """What a loop counted since it started; seconds are of the loop's clock."""

    runs: int = 0
    actions: int = 0
    conflicts: int = 0
    errors: int = 0
    planning_seconds: float = 0.0
    applying_seconds: float = 0.0


class _Seen:
    """The world as one controller may see it."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self.problems: dict[Key, ApiError] = {}

    def cache(self, view: type[O]) -> Cache[O]:
        return self._caches.cache(view)

    def problem(self, key: Key) -> ApiError | None:
        return self.problems.get(key)


class Loop:
    """Runs one controller over shared caches."""

    def __init__(
        self,
        controller: Controller[Any],
        client: Client,
        caches: Caches,
        clock: Clock,
        answers: Answers,
    ) -> None:
        self.controller = controller
        self.queue: WorkQueue[Key] = WorkQueue()
        self.measures = Measures()
        self._client = client
        self._clock = clock
        self._answers = answers
        self._world = _Seen(caches)
        self._recorder = Recorder(f"athanor-{controller.name}", clock)
        self._doubts: set[Place] = set()
        self._news = asyncio.Event()
        self._took: dict[Key, tuple[float, float]] = {}  # until when the last look went, how long
        self._heard: dict[Key, float] = {}  # the last change that settles, of keys in line
        self._urgent: set[Key] = set()  # keys in line for another change
        self._again: dict[Key, float] = {}  # when the last plan asked for the next look

    def changed(self, watch: Watch[Any], change: Changed[Any]) -> None:
        """A watched object changed: the keys it concerns get in line.

        Most changes bring nothing new to wait for; the loop sleeps through those.
        """
        settle = max(self.controller.settle, watch.settle)
        for key in watch.keys(change, self._world):
            if settle:
                now = self._clock.monotonic()
                self._heard[key] = now
                new = self.queue.add_at(key, now + settle)
            else:
                self._urgent.add(key)
                new = self.queue.add(key)
            if new:
                self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        limit = asyncio.Semaphore(self.controller.together)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await limit.acquire()
                key = await self._next()
                task = tasks.create_task(self._work(key))
                task.add_done_callback(lambda _: limit.release())

    async def _next(self) -> Key:
        while True:
            self._news.clear()
            now = self._clock.monotonic()
            key = self.queue.take(now)
            if key is not None:
                return key
            due = self.queue.next_due()
            wait = None if due is None else max(due - now, 0.0)
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _work(self, key: Key) -> None:
        try:
            due = self._due(key)
            if due > self._clock.monotonic():
                self.queue.add_at(key, due)
                return
            self._heard.pop(key, None)
            self._again.pop(key, None)
            self._urgent.discard(key)
            again = await self._round(key)
            self._world.problems.pop(key, None)
            self.queue.forget(key)
            if again is not None:
                self._again[key] = self._clock.monotonic() + again
                self.queue.add_at(key, self._again[key])
        except ApiError as problem:
            self._failed(key, problem)
        except Exception:
            self.measures.errors += 1
            log.exception("%s: %s/%s could not be worked on", self.controller.name, *key)
            self.queue.retry(key, self._clock.monotonic(), at_least=1.0)
        finally:
            self.queue.done(key)
            self._news.set()

    def _due(self, key: Key) -> float:
        """When a key in line may be looked at: after its rest, or once its changes have ceased."""
        heard, (last, took) = self._heard.get(key), self._took.get(key, (0.0, 0.0))
        if heard is None or key in self._urgent:
            return 0.0
        rested = last + min(took * self.controller.rest, self.controller.longest_rest)
        silent = heard + max(QUIET, took * SILENCE)
        return min(rested, silent, self._again.get(key, rested))

    async def _round(self, key: Key) -> float | None:
        if self._doubts:
            await settle(self._client, self._answers, self._doubts)
        began = self._clock.monotonic()
        observed = self.controller.observe(self._world, key)
        self.measures.runs += 1
        if observed is None:
            self._took.pop(key, None)
            return None
        plan = self.controller.plan(observed, self._clock.now())
        planned = self._clock.monotonic()
        if self.controller.rest:
            self._took[key] = planned, planned - began
        self.measures.planning_seconds += planned - began
        self.measures.actions += len(plan.actions)
        await apply(self._client, plan, self._recorder, self._answers, self._doubts)
        self.measures.applying_seconds += self._clock.monotonic() - planned
        return plan.again_after

    def _failed(self, key: Key, problem: ApiError) -> None:
        if problem.reason == "Conflict":
            self.measures.conflicts += 1
        else:
            self.measures.errors += 1
            self._world.problems[key] = problem
            log.warning("%s: %s/%s: %s", self.controller.name, *key, problem.message)
        self.queue.retry(key, self._clock.monotonic(), at_least=float(problem.retry_after))


class Reader:
    """Reads answers to writes into the caches of their kinds (`apply.Answers`)."""

    def __init__(
        self, caches: Caches, notify: Callable[[type[Object], Changed[Any]], None]
    ) -> None:
        self._caches = caches
        self._notify = notify
        self._decode = {view: msgspec.json.Decoder(view).decode for view in caches.views()}

    def wrote(self, resource: Resource, answer: bytes) -> None:
        """Take over what the server answered to a write."""
        view = self._kept(resource)
        if view is None:
            return
        change = self._caches.cache(view).wrote(self._decode[view](answer))
        if change is not None:
            self._notify(view, change)

    def held(self, resource: Resource, namespace: str, name: str) -> str:
        """The uid of the object as it is known; "" when none is."""
        view = self._kept(resource)
        value = self._caches.cache(view).get(Key(namespace, name)) if view is not None else None
        return value.metadata.uid if value is not None else ""

    def gone(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Let go of an object that the server no longer has, unless another took its name."""
        view = self._kept(resource)
        change = self._caches.cache(view).gone(Key(namespace, name), uid) if view else None
        if view is not None and change is not None:
            self._notify(view, change)

    def _kept(self, resource: Resource) -> type[Object] | None:
        return resource.view if resource.view in self._decode else None
