"""Which keys are due: each at most once in line, never twice at work, later or slower on request.

The rules are those of client-go's work queue. Pure: the time is an argument, nothing waits here.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys in line, keys at work, keys for later. All times are seconds of one monotonic clock."""

    def __init__(self, first_delay: float = 0.01, longest_delay: float = 60.0) -> None:
        self._first = first_delay
        self._longest = longest_delay
        self._line: deque[K] = deque()
        self._dirty: set[K] = set()
        self._at_work: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._counter = 0

    def __len__(self) -> int:
        """How many keys are in line (neither at work nor for later)."""
        return len(self._line)

    def add(self, key: K) -> bool:
        """Put a key in line; one that is at work comes back when it is done.

        Whether there is something to take that was not there before.
        """
        if key in self._dirty:
            return False
        self._dirty.add(key)
        if key in self._at_work:
            return False
        self._line.append(key)
        return True

    def add_at(self, key: K, when: float) -> bool:
        """Put a key in line at a time; of several the earliest counts. Whether this one is."""
        known = self._due.get(key)
        if known is not None and known <= when:
            return False
        self._due[key] = when
        self._counter += 1
        heapq.heappush(self._later, (when, self._counter, key))
        return True

    def retry(self, key: K, now: float, at_least: float = 0.0) -> float:
        """Put a key in line after a delay that doubles with each retry; returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = max(min(self._first * 2.0 ** min(failures, 32), self._longest), at_least)
        self.add_at(key, now + delay)
        return delay

    def forget(self, key: K) -> None:
        """The key went well: its next retry starts from the shortest delay."""
        self._failures.pop(key, None)

    def take(self, now: float) -> K | None:
        """The next key to work on, or None. Call `done` when it is finished."""
        while self._later and self._later[0][0] <= now:
            when, _, key = heapq.heappop(self._later)
            if self._due.get(key) == when:
                del self._due[key]
                self.add(key)
        if not self._line:
            return None
        key = self._line.popleft()
        self._dirty.discard(key)
        self._at_work.add(key)
        return key

    def done(self, key: K) -> None:
        """Work on the key has ended; if it was added meanwhile it is in line again."""
        self._at_work.discard(key)
        if key in self._dirty:
            self._line.append(key)

    def next_due(self) -> float | None:
        """When the next key for later comes in line; None when there is none."""
        while self._later and self._due.get(self._later[0][2]) != self._later[0][0]:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    @property
    def idle(self) -> bool:
        """Nothing in line and nothing at work."""
        return not self._line and not self._at_work
