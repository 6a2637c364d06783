"""Time that jumps: an event loop that never waits, for whole clusters at function speed.

When nothing is ready, the loop's clock goes straight to the next timer. All waiting must go through
the loop (asyncio.sleep, timeouts); sockets and threads have no place here.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""When virtual time begins, in seconds since the epoch."""


class Stuck(Exception):
    """Nothing is ready and no timer is set: nothing will ever happen again."""


class _Selector(selectors.BaseSelector):
    """Selects nothing and lets the time pass instead."""

    def __init__(self) -> None:
        self.now = 0.0
        self._inner = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("everything waits, and for nothing that will come")
        if timeout > 0:
            self.now += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is its own."""

    def __init__(self) -> None:
        self._selected = _Selector()
        super().__init__(self._selected)

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self._selected.now

    @property
    def _clock_resolution(self) -> float:
        """How much too early a timer may fire: by no more than floats can tell apart. With that of
        a real clock two tasks that look again until a moment has come would keep it from coming.
        """
        return math.ulp(self._selected.now)

    @_clock_resolution.setter
    def _clock_resolution(self, resolution: float) -> None:
        """asyncio says what the machine's clock has."""


class LoopClock:
    """A Clock that reads a loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float = EPOCH) -> None:
        self._loop = loop
        self._epoch = epoch

    def now(self) -> float:
        """Seconds since the epoch, virtual."""
        return self._epoch + self._loop.time()

    def monotonic(self) -> float:
        """Seconds since the loop began."""
        return self._loop.time()


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end in virtual time. Raises Stuck when everything waits for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
