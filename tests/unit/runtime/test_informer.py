"""Caches follow the server through every trouble."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from msgspec import structs

from athanor.api.core import ConfigMap
from athanor.local.apiserver.follow import BOOKMARK_EVERY
from athanor.runtime.cache import Cache, Changed, Key
from athanor.runtime.following import SILENCE
from athanor.runtime.informer import Informer
from athanor.testing import lab, virtual
from athanor.testing.faults import Faulty, Rates
from athanor.wire.request import Answer, Request, Stream


def config(number: int) -> dict[str, object]:
    return {"metadata": {"name": f"c{number:03}", "namespace": "default"}, "data": {"n": "0"}}


def test_a_cache_is_right_in_the_end_whatever_the_wire_does() -> None:
    rough = Rates(lost=0.3, busy=0.1, cut=0.1, delayed=0.2)

    async def main() -> None:
        async with lab.server() as bed:
            wires: list[Faulty] = []

            def bad(handle: lab.Handle) -> Faulty:
                wires.append(Faulty(handle, random.Random(1), rough))
                return wires[-1]

            cache: Cache[ConfigMap] = Cache()
            told: list[Changed[ConfigMap]] = []
            client = bed.connect(bad)
            informer = Informer(client, ConfigMap, cache, told.append, bed.dice.random)
            task = asyncio.ensure_future(informer.run())
            for number in range(40):
                await bed.create(config(number), ConfigMap)
                await asyncio.sleep(1)
                if number % 3 == 0:
                    await bed.patch(ConfigMap, f"c{number:03}", {"data": {"n": "1"}})
            await asyncio.sleep(120)
            assert wires[0].faults > 5
            named = {"kind": "ConfigMap", "api_version": "v1"}  # a list says its items' kind once
            true = {
                m.metadata.name: structs.replace(m, **named)
                for m in await bed.list(ConfigMap, "default")
            }
            held = {m.metadata.name: m for m in cache if m.metadata.namespace == "default"}
            assert held == true
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)


def test_a_watch_that_is_too_old_lists_again() -> None:
    async def main() -> None:
        async with lab.server() as bed:
            lists = 0

            def counted(handle: lab.Handle) -> lab.Handle:
                async def counting(request: Request) -> Answer:
                    nonlocal lists
                    watching = request.param("watch") is not None
                    lists += not watching
                    answer = await handle(request)
                    if watching and lists == 1 and isinstance(answer, Stream):
                        bed.server.core.store.compact(bed.server.core.store.revision)
                        old = (("watch", "1"), ("resourceVersion", "1"))
                        return await handle(
                            Request(method="GET", path=request.path, query=old, peer=request.peer)
                        )
                    return answer

                return counting

            cache: Cache[ConfigMap] = Cache()
            client = bed.connect(counted)
            informer = Informer(client, ConfigMap, cache, lambda _: None, bed.dice.random)
            task = asyncio.ensure_future(informer.run())
            await bed.create(config(1), ConfigMap)
            await asyncio.sleep(10)
            await bed.create(config(2), ConfigMap)
            await asyncio.sleep(10)
            assert lists == 2
            assert cache.get(Key("default", "c002")) is not None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)


@pytest.mark.parametrize("quiet_for", [20.0, 200.0])
def test_a_watch_that_falls_silent_goes_on_where_it_stood(quiet_for: float) -> None:
    """The connection is half open: what is sent is lost, and nothing says so."""

    async def main() -> None:
        async with lab.server() as bed:
            began: list[float] = []
            lists = 0

            def half_open(handle: lab.Handle) -> lab.Handle:
                async def asked(request: Request) -> Answer:
                    nonlocal lists
                    answer = await handle(request)
                    if not isinstance(answer, Stream):
                        lists += request.method == "GET"
                        return answer
                    began.append(asyncio.get_running_loop().time())
                    if len(began) > 1:
                        return answer
                    return Stream(chunks=_silent(answer.chunks, quiet_for))

                return asked

            cache: Cache[ConfigMap] = Cache()
            client = bed.connect(half_open)
            informer = Informer(client, ConfigMap, cache, lambda _: None, bed.dice.random)
            task = asyncio.ensure_future(informer.run())
            heard = quiet_for // BOOKMARK_EVERY * BOOKMARK_EVERY  # the last of the bookmarks
            await asyncio.sleep(quiet_for + 1)
            await bed.create(config(1), ConfigMap)
            await asyncio.sleep(heard + SILENCE - 1 - (quiet_for + 1))
            assert cache.get(Key("default", "c001")) is None
            await asyncio.sleep(2)
            assert cache.get(Key("default", "c001")) is not None
            assert (len(began), lists) == (2, 1)
            await asyncio.sleep(200)  # a quiet one from which bookmarks come is left alone
            assert len(began) == 2
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    virtual.run(main)


async def _silent(chunks: AsyncIterator[bytes], after: float) -> AsyncGenerator[bytes, None]:
    """What comes in the first seconds of a stream, then nothing, for ever."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + after
    async for chunk in chunks:
        if loop.time() < ends:
            yield chunk
