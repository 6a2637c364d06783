"""Controllers over the real server: observe, plan, apply, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from athanor.api.core import ConfigMap, Event
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang
from athanor.client.inproc import Handle
from athanor.kit.clock import Clock
from athanor.runtime.cache import Changed, Key, World
from athanor.runtime.controller import Controller, Watch
from athanor.runtime.manager import Manager
from athanor.runtime.plan import (
    Create,
    Delete,
    DeleteCollection,
    Patch,
    Plan,
    Record,
    Replace,
    difference,
    head,
    merged,
)
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.request import Answer, Request, Stream
from athanor.wire.status import ApiError

MAPS = of(ConfigMap)


def config(name: str, **data: str) -> JSON:
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": data,
    }  # fmt: skip


def observe(world: World, key: Key) -> tuple[ConfigMap, ApiError | None] | None:
    held = world.cache(ConfigMap).get(key)
    return None if held is None else (held, world.problem(key))


class Running:
    """A manager with one controller of ours, in the background."""

    def __init__(
        self, bed: lab.Lab, plan: Any, wrap: Callable[[Handle], Handle] = lambda handle: handle
    ) -> None:
        controller = Controller(
            name="test", watches=(Watch(ConfigMap),), observe=observe, plan=plan
        )
        self.manager = Manager(bed.connect(wrap), [controller], bed.clock, bed.dice.random)
        self.task = asyncio.ensure_future(self.manager.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_a_plan_is_carried_out_and_news_are_counted() -> None:
    def plan(seen: Any, now: float) -> Plan:
        held, _ = seen
        if held.metadata.name != "a" or held.data.get("n") == "2":
            return Plan()
        uid = held.metadata.uid
        news = Record(about=head(MAPS, "default", "a", uid), reason="Seen", message="it is there")
        number = str(int(held.data.get("n", "0")) + 1)
        return Plan((
            Create(MAPS, config("b")),
            Create(MAPS, config("c")),
            Patch(resource=MAPS, name="a", namespace="default", body={"data": {"n": number}}),
            Patch(resource=MAPS, name="absent", namespace="default", body={"data": {"n": "1"}}),
            Delete(resource=MAPS, name="absent", namespace="default"),
            news,
        ))  # fmt: skip

    async def main() -> None:
        async with lab.server() as bed:
            running = Running(bed, plan)
            await bed.create(config("a"), ConfigMap)
            await bed.until(ConfigMap, "a", lambda held: held.data.get("n") == "2")
            await asyncio.sleep(1)
            assert {m.metadata.name for m in await bed.list(ConfigMap, "default")} >= {"b", "c"}
            told = [e for e in await bed.list(Event) if e.reason == "Seen"]
            assert [(e.count, e.involved_object.name) for e in told] == [(2, "a")]
            assert 'athanor_actions_total{controller="test"}' in running.manager.metrics()
            assert running.manager.ready
            await running.stop()

    virtual.run(main)


def test_a_conflict_is_planned_again() -> None:
    tries: list[str] = []

    def plan(seen: Any, now: float) -> Plan:
        held, _ = seen
        if held.metadata.name != "a" or held.data.get("done"):
            return Plan()
        version = held.metadata.resource_version if tries else "1"
        tries.append(version)
        body = {"data": {"done": "yes"}}
        return Plan((
            Patch(resource=MAPS, name="a", namespace="default", body=body,
                  resource_version=version),
        ))  # fmt: skip

    async def main() -> None:
        async with lab.server() as bed:
            running = Running(bed, plan)
            await bed.create(config("a"), ConfigMap)
            await bed.until(ConfigMap, "a", lambda held: held.data.get("done") == "yes")
            assert len(tries) == 2
            assert running.manager.loops[0].measures.conflicts == 1
            await running.stop()

    virtual.run(main)


def test_a_status_is_replaced_as_it_was_decided() -> None:
    told: list[str] = []

    def seen(world: World, key: Key) -> Gang | None:
        return world.cache(Gang).get(key)

    def plan(gang: Gang, now: float) -> Plan:
        version = gang.metadata.resource_version if told else "1"  # at first a stale one
        told.append(version)
        if gang.status.message == "new" and not gang.status.reason:
            return Plan()
        gone = Replace(resource=of(Gang), name="gone", namespace="default", status={},
                       resource_version="1")  # fmt: skip
        return Plan((gone, Replace(
            resource=of(Gang), name="g", namespace="default", status={"message": "new"},
            resource_version=version,
        )))  # fmt: skip

    async def main() -> None:
        async with lab.server() as bed:
            controller = Controller(name="test", watches=(Watch(Gang),), observe=seen, plan=plan)
            manager = Manager(bed.connect(), [controller], bed.clock, bed.dice.random)
            task = asyncio.ensure_future(manager.run())
            pod_set = {"name": "w", "count": 1, "template": {"spec": {"containers": []}}}
            await bed.create({
                "apiVersion": of(Gang).api_version, "kind": "Gang",
                "metadata": {"name": "g", "namespace": "default"}, "spec": {"podSets": [pod_set]},
            }, Gang)  # fmt: skip
            await bed.client(calls.patch(
                of(Gang), "g", "default", {"status": {"reason": "Old"}}, subresource="status"
            ))  # fmt: skip
            gang = await bed.until(Gang, "g", lambda gang: gang.status.message == "new")
            assert (gang.status.reason, gang.spec.pod_sets[0].name) == ("", "w")
            assert manager.loops[0].measures.conflicts >= 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)


def test_nothing_is_planned_before_the_fate_of_an_unanswered_write_is_known() -> None:
    looks: list[dict[str, str]] = []
    asked: list[str] = []

    def plan(seen: Any, now: float) -> Plan:
        held, _ = seen
        if held.metadata.name != "a":
            return Plan()
        looks.append(dict(held.data))
        if held.data.get("n"):
            return Plan()
        return Plan((
            Patch(resource=MAPS, name="a", namespace="default", body={"data": {"n": "1"}}),
        ))  # fmt: skip

    async def silent() -> AsyncGenerator[bytes, None]:
        await asyncio.get_running_loop().create_future()
        yield b""

    def losing(handle: Handle) -> Handle:
        """Watches say nothing. The answer to the write is lost, and those to two questions."""

        async def answer(request: Request) -> Answer:
            answered = await handle(request)
            if isinstance(answered, Stream) and "configmaps" in request.path:
                return Stream(chunks=silent(), status=answered.status)
            if request.path.endswith("/configmaps/a"):
                asked.append(request.method)
                if len(asked) <= 3:
                    raise ApiError("ServiceUnavailable", "the answer was lost")
            return answered

        return answer

    async def main() -> None:
        async with lab.server() as bed:
            await bed.create(config("a"), ConfigMap)
            running = Running(bed, plan, losing)
            await asyncio.sleep(60)
            assert looks[0] == {} and looks[1:] and all(look == {"n": "1"} for look in looks[1:])
            assert asked == ["PATCH", "GET", "GET", "GET"]
            await running.stop()

    virtual.run(main)


def test_a_write_that_finds_nothing_ends_what_a_cut_off_watch_still_shows() -> None:
    looks: list[str] = []

    def plan(seen: Any, now: float) -> Plan:
        if seen[0].metadata.name != "a":
            return Plan()
        looks.append("a")
        body = {"data": {"seen": "yes"}}
        return Plan((Patch(resource=MAPS, name="a", namespace="default", body=body),), 1.0)

    async def silent(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The first object, and never again a word."""
        async for chunk in chunks:
            yield chunk
            await asyncio.get_running_loop().create_future()

    def cut_off(handle: Handle) -> Handle:
        async def answer(request: Request) -> Answer:
            answered = await handle(request)
            if isinstance(answered, Stream) and "configmaps" in request.path:
                return Stream(chunks=silent(answered.chunks), status=answered.status)
            return answered

        return answer

    async def main() -> None:
        async with lab.server() as bed:
            running = Running(bed, plan, cut_off)
            await bed.create(config("a"), ConfigMap)
            await bed.until(ConfigMap, "a", lambda held: held.data.get("seen") == "yes")
            await bed.client(calls.delete(MAPS, "a", "default"))
            before = len(looks)
            await asyncio.sleep(60)
            assert len(looks) == before + 1
            await running.stop()

    virtual.run(main)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_collection_that_is_refused_is_left_to_what_comes_after_it(allowed: bool) -> None:
    asked: list[Request] = []

    def wrap(handle: Handle) -> Handle:
        async def wrapped(request: Request) -> Answer:
            if request.method == "DELETE" and request.path == MAPS.path("default"):
                asked.append(request)
                if not allowed:
                    raise ApiError("Forbidden", "an older role")
            return await handle(request)

        return wrapped

    def plan(seen: Any, now: float) -> Plan:
        if seen[0].metadata.name != "a":
            return Plan()
        fields = "metadata.name!=c"
        return Plan((
            DeleteCollection(resource=MAPS, namespace="default", labels="end=yes", fields=fields),
            Delete(resource=MAPS, name="a", namespace="default"),
        ))  # fmt: skip

    async def main() -> None:
        async with lab.server() as bed:
            for name in ("b", "c", "d"):
                made = config(name)
                made["metadata"]["labels"] = {"end": "no" if name == "d" else "yes"}
                await bed.create(made, ConfigMap)
            running = Running(bed, plan, wrap)
            await bed.create(config("a"), ConfigMap)
            await asyncio.sleep(1)
            left = {m.metadata.name for m in await bed.list(ConfigMap, "default")}
            assert left & {"a", "b", "c", "d"} == ({"c", "d"} if allowed else {"b", "c", "d"})
            assert len(asked) == 1
            await running.stop()

    virtual.run(main)


def test_no_collection_is_deleted_without_labels() -> None:
    with pytest.raises(ValueError, match="labels=''"):
        calls.delete_collection(MAPS, "default", labels="")


def test_a_refusal_is_an_observation() -> None:
    seen_problems: list[str] = []

    def plan(seen: Any, now: float) -> Plan:
        held, problem = seen
        if held.metadata.name != "a":
            return Plan()
        if problem is not None:
            seen_problems.append(problem.reason)
            return Plan()
        return Plan((Create(MAPS, config("Not a name")),))

    async def main() -> None:
        async with lab.server() as bed:
            running = Running(bed, plan)
            await bed.create(config("a"), ConfigMap)
            await asyncio.sleep(5)
            assert seen_problems == ["Invalid"]
            await running.stop()

    virtual.run(main)


def test_a_plan_may_ask_to_look_again_and_a_broken_one_is_retried() -> None:
    looks: list[float] = []

    def plan(seen: Any, now: float) -> Plan:
        if seen[0].metadata.name != "a":
            return Plan()
        looks.append(now)
        if len(looks) == 1:
            raise ValueError("a bug")
        return Plan(again_after=30 if len(looks) < 4 else None)

    async def main() -> None:
        async with lab.server() as bed:
            running = Running(bed, plan)
            await bed.create(config("a"), ConfigMap)
            await asyncio.sleep(300)
            gaps = [round(b - a) for a, b in zip(looks, looks[1:], strict=False)]
            assert gaps == [1, 30, 30]
            assert running.manager.loops[0].measures.errors == 1
            await running.stop()

    virtual.run(main)


class Slow:
    """A clock on which whatever is looked at takes a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._took = clock, 0.0

    def look(self) -> None:
        self._took += 1.0

    def now(self) -> float:
        return self._clock.now() + self._took

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._took


def test_what_takes_long_to_look_at_rests_while_changes_come_and_no_longer() -> None:
    seen: list[str] = []

    async def main() -> None:
        async with lab.server() as bed:
            clock = Slow(bed.clock)

            def plan(held: Any, now: float) -> Plan:
                if held[0].metadata.name == "a":
                    clock.look()
                    seen.append(held[0].data["n"])
                return Plan()

            controller = Controller(
                name="test", watches=(Watch(ConfigMap, settle=0.02),), observe=observe, plan=plan,
                rest=16, longest_rest=8.0,
            )  # fmt: skip
            manager = Manager(bed.connect(), [controller], clock, bed.dice.random)
            task = asyncio.ensure_future(manager.run())
            await bed.create(config("a", n="0"), ConfigMap)
            await asyncio.sleep(1)

            async def change(first: int, count: int) -> None:
                for number in range(first, first + count):
                    body = {"data": {"n": str(number)}}
                    await bed.client(calls.patch(MAPS, "a", "default", body))
                    await asyncio.sleep(0.05)

            await change(1, 30)
            assert seen == ["0"]
            await asyncio.sleep(2.1)  # the rest is not over, but nothing comes any more
            assert seen == ["0", "30"]
            await change(31, 200)  # ten seconds of them: longer than the rest
            assert len(seen) == 3
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)


def test_changes_name_their_newest() -> None:
    with pytest.raises(ValueError, match="nothing"):
        _ = Changed(None, None).newest


def test_differences_are_merge_patches() -> None:
    have = {"a": 1, "b": {"c": 1, "d": 2}, "gone": True}
    want = {"a": 1, "b": {"c": 1, "d": 3}, "new": [1]}
    patch = difference(have, want)
    assert patch == {"b": {"d": 3}, "gone": None, "new": [1]}
    assert merged(have, patch) == want
