"""Watches: compaction, bookmarks, writes while watching, readers that leave."""

from __future__ import annotations

import asyncio

import msgspec

from athanor.local.apiserver import follow
from athanor.wire.request import Stream

CMS = "/api/v1/namespaces/default/configmaps"


def test_a_compacted_revision_is_gone(play):
    async def story(api):
        first = await api.config("a")
        for i in range(5):
            await api.config(f"b{i}")
        store = api.server.core.store
        store.compact(store.revision)
        since = first["metadata"]["resourceVersion"]
        [frame] = await api.watch(f"{CMS}?watch=1&resourceVersion={since}&timeoutSeconds=1")
        assert frame["type"] == "ERROR"
        assert frame["object"]["code"] == 410 and frame["object"]["reason"] == "Expired"
        listed = await api.get(f"{CMS}?resourceVersion={since}&resourceVersionMatch=Exact")
        assert listed["reason"] == "Expired"

    play(story)


def test_a_page_of_a_compacted_list_is_gone(play):
    async def story(api):
        for i in range(3):
            await api.config(f"b{i}")
        page = await api.get(f"{CMS}?limit=1")
        await api.config("c")
        store = api.server.core.store
        store.compact(store.revision)
        token = page["metadata"]["continue"]
        gone = await api.get(f"{CMS}?limit=1&continue={token}")
        assert gone["code"] == 410 and gone["message"].startswith("The provided continue parameter")

    play(story)


def test_bookmarks_tell_a_quiet_watch_how_far_it_is(play, monkeypatch):
    monkeypatch.setattr(follow, "BOOKMARK_EVERY", 0.02)

    async def story(api):
        await api.config("a")
        answer = await api.ask("GET", f"{CMS}?watch=1&resourceVersion=1&allowWatchBookmarks=true"
                                      "&labelSelector=none")  # fmt: skip
        assert isinstance(answer, Stream)
        frame = msgspec.json.decode(await anext(answer.chunks))
        assert frame["type"] == "BOOKMARK" and frame["object"]["kind"] == "ConfigMap"
        newest = api.server.core.store.revision
        assert int(frame["object"]["metadata"]["resourceVersion"]) == newest
        await answer.chunks.aclose()

    play(story)


def test_bookmarks_come_although_things_change_that_are_not_selected(play, monkeypatch):
    monkeypatch.setattr(follow, "BOOKMARK_EVERY", 0.1)

    async def story(api):
        await api.config("a")
        answer = await api.ask("GET", f"{CMS}?watch=1&resourceVersion=1&allowWatchBookmarks=true"
                                      "&labelSelector=none")  # fmt: skip
        assert isinstance(answer, Stream)
        told = asyncio.ensure_future(anext(answer.chunks))
        for number in range(400):
            await api.config(f"c{number}")
            await asyncio.sleep(0.01)
            if told.done():
                break
        frame = msgspec.json.decode(await told)
        assert frame["type"] == "BOOKMARK"
        await answer.chunks.aclose()

    play(story)


def test_writes_reach_a_watch_that_waits(play):
    async def story(api):
        since = api.server.core.store.revision
        query = f"watch=1&fieldSelector=metadata.name=b&resourceVersion={since}"
        answer = await api.ask("GET", f"{CMS}?{query}")
        assert isinstance(answer, Stream)
        waiting = asyncio.ensure_future(anext(answer.chunks))
        await asyncio.sleep(0)
        await api.config("a")
        await api.config("b")
        frame = msgspec.json.decode(await waiting)
        assert (frame["type"], frame["object"]["metadata"]["name"]) == ("ADDED", "b")
        assert api.server.core.store.watchers == 1
        await answer.chunks.aclose()
        assert api.server.core.store.watchers == 0

    play(story)


def test_two_watchers_of_one_form_share_its_bytes(play):
    async def story(api):
        since = api.server.core.store.revision
        path = f"{CMS}?watch=1&resourceVersion={since}"
        one, two = await api.ask("GET", path), await api.ask("GET", path)
        await api.config("a")
        assert await anext(one.chunks) is await anext(two.chunks)
        await one.chunks.aclose()
        await two.chunks.aclose()

    play(story)
