"""Which keys are due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from athanor.runtime.queue import WorkQueue


def test_a_key_is_in_line_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert queue.take(0) == "a"
    assert queue.take(0) is None


def test_a_key_at_work_comes_back_when_done() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.take(0) == "a"
    queue.add("a")
    assert queue.take(0) is None
    queue.done("a")
    assert queue.take(0) == "a"
    queue.done("a")
    assert queue.take(0) is None
    assert queue.idle


def test_of_several_times_the_earliest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_at("a", 10)
    queue.add_at("a", 5)
    queue.add_at("a", 20)
    assert queue.next_due() == 5
    assert queue.take(4.9) is None
    assert queue.take(5) == "a"
    queue.done("a")
    assert queue.take(100) is None
    assert queue.next_due() is None


def test_retries_slow_down_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(first_delay=1, longest_delay=5)
    assert [queue.retry("a", 0) for _ in range(4)] == [1, 2, 4, 5]
    queue.forget("a")
    assert queue.retry("a", 0) == 1
    assert queue.retry("b", 0, at_least=30) == 30


@given(st.lists(st.tuples(st.sampled_from(["add", "take", "done", "at"]), st.integers(0, 3))))
def test_no_key_is_at_work_twice_and_none_is_forgotten(steps: list[tuple[str, int]]) -> None:
    queue: WorkQueue[int] = WorkQueue()
    at_work: set[int] = set()
    wanted: set[int] = set()
    for now, (what, key) in enumerate(steps):
        if what == "add":
            queue.add(key)
            wanted.add(key)
        elif what == "at":
            queue.add_at(key, now + 2)
            wanted.add(key)
        elif what == "take":
            taken = queue.take(now)
            if taken is not None:
                assert taken not in at_work
                at_work.add(taken)
                wanted.discard(taken)
        elif key in at_work:
            at_work.discard(key)
            queue.done(key)
    for key in list(at_work):
        queue.done(key)
    seen = set()
    while (taken := queue.take(10_000)) is not None:
        seen.add(taken)
        queue.done(taken)
    assert wanted <= seen
