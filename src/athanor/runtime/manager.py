"""Runs controllers in one event loop over shared caches: one watch a kind, however many readers.

Says how it is (`ready`, `metrics`) to whoever serves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from athanor.api.meta import Object
from athanor.client.protocol import Client
from athanor.kit.clock import Clock
from athanor.runtime.cache import Caches, Changed
from athanor.runtime.controller import Controller
from athanor.runtime.informer import Informer
from athanor.runtime.loop import Loop, Reader


class Manager:
    """Some controllers, their caches and watches."""

    def __init__(
        self,
        client: Client,
        controllers: Sequence[Controller[Any]],
        clock: Clock,
        dice: Callable[[], float],
    ) -> None:
        self._caches = Caches()
        for controller in controllers:
            for watch in controller.watches:
                self._caches.want(watch.view, watch.indexes, watch.trim, watch.labels)
        reader = Reader(self._caches, self._notify)
        self.loops = [
            Loop(controller, client, self._caches, clock, reader) for controller in controllers
        ]
        self._listeners = {view: _listeners(self.loops, view) for view in self._caches.views()}
        self._informers = [
            Informer(client, view, self._caches.cache(view), partial(self._notify, view), dice)
            for view in self._caches.views()
        ]

    @property
    def ready(self) -> bool:
        """Whether every cache has been filled once."""
        return all(self._caches.cache(view).synced for view in self._caches.views())

    async def filled(self) -> None:
        """Wait until every cache has been filled once."""
        for informer in self._informers:
            await informer.filled.wait()

    async def run(self) -> None:
        """Follow the world and work until cancelled; work starts when all caches are filled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers:
                tasks.create_task(informer.run())
            tasks.create_task(self._start(tasks))

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        for informer in self._informers:
            await informer.filled.wait()
        for loop in self.loops:
            tasks.create_task(loop.run())

    def _notify(self, view: type[Object], change: Changed[Any]) -> None:
        for tell in self._listeners[view]:
            tell(change)

    def metrics(self) -> str:
        """What the loops counted, in Prometheus' text format."""
        lines = []
        for name, kind, help_, read in _METRICS:
            lines += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]
            lines += [
                f'{name}{{controller="{loop.controller.name}"}} {read(loop)}' for loop in self.loops
            ]
        restarts = sum(informer.restarts for informer in self._informers)
        lines += [
            "# HELP athanor_watch_troubles_total Lists and watches that had to be tried again",
            "# TYPE athanor_watch_troubles_total counter",
            f"athanor_watch_troubles_total {restarts}",
        ]
        return "\n".join(lines) + "\n"


def _listeners(loops: Sequence[Loop], view: type[Object]) -> list[Callable[[Changed[Any]], None]]:
    """Who is told of changes of a kind, once for each watch of it."""
    return [
        partial(loop.changed, watch)
        for loop in loops
        for watch in loop.controller.watches
        if watch.view is view
    ]


_METRICS: tuple[tuple[str, str, str, Callable[[Loop], float]], ...] = (
    ("athanor_queue_depth", "gauge", "Keys in line", lambda loop: len(loop.queue)),
    ("athanor_runs_total", "counter", "Keys looked at", lambda loop: loop.measures.runs),
    ("athanor_actions_total", "counter", "Actions planned", lambda loop: loop.measures.actions),
    (
        "athanor_conflicts_total", "counter", "Writes refused as out of date",
        lambda loop: loop.measures.conflicts,
    ),
    ("athanor_errors_total", "counter", "Keys that failed", lambda loop: loop.measures.errors),
    (
        "athanor_planning_seconds_total", "counter", "Time spent observing and planning",
        lambda loop: loop.measures.planning_seconds,
    ),
    (
        "athanor_applying_seconds_total", "counter", "Time spent applying",
        lambda loop: loop.measures.applying_seconds,
    ),
)  # fmt: skip
