"""The store against a dictionary and a list, through any sequence of writes and reopenings."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from athanor.local.store.model import Change, Conflict, Expired, Key, Write
from athanor.local.store.store import Store

KEYS = st.builds(
    Key,
    st.sampled_from(["pods", "nodes"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "y", "z"]),
)
Oracle = dict[Key, tuple[int, bytes]]


class StoreMachine(RuleBasedStateMachine):
    """The oracle keeps the state at every revision, and every change."""

    path: str | Path = ":memory:"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.where = self.place()
        self.store = Store.open(self.where)
        self.now: Oracle = {}
        self.states: dict[int, Oracle] = {self.store.revision: {}}
        self.changes: list[tuple[int, str, Key]] = []

    def place(self) -> str | Path:
        return ":memory:"

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    def _expect(self, key: Key, stale: bool) -> int:
        return self.now.get(key, (0, b""))[0] + (7 if stale else 0)

    def _put(self, row_revision: int, key: Key, content: bytes) -> None:
        kind = "MODIFIED" if key in self.now else "ADDED"
        self.now = {**self.now, key: (row_revision, content)}
        self.states[row_revision] = self.now
        self.changes.append((row_revision, kind, key))

    def _drop(self, row_revision: int, key: Key) -> None:
        self.now = {other: value for other, value in self.now.items() if other != key}
        self.states[row_revision] = self.now
        self.changes.append((row_revision, "DELETED", key))

    @rule(key=KEYS, text=st.binary(max_size=20), stale=st.booleans())
    def put(self, key: Key, text: bytes, stale: bool) -> None:
        write = self.store.put(key, lambda r: b"%d " % r + text, expect=self._expect(key, stale))
        try:
            row = self.loop.run_until_complete(write)
        except Conflict as conflict:
            assert stale
            assert conflict.actual == self._expect(key, stale=False)
            return
        assert not stale
        self._put(row.revision, key, row.body)

    @rule(key=KEYS, stale=st.booleans())
    def remove(self, key: Key, stale: bool) -> None:
        gone = self.store.remove(key, lambda r: b"%d" % r, expect=self._expect(key, stale))
        try:
            row = self.loop.run_until_complete(gone)
        except Conflict:
            assert stale or key not in self.now
            return
        assert not stale
        self._drop(row.revision, key)

    @rule(writes=st.dictionaries(KEYS, st.sampled_from(["put", "remove", "stale"]), max_size=4))
    def apply(self, writes: dict[Key, str]) -> None:
        wanted = [
            Write(
                key,
                lambda r: b"%d" % r,
                self._expect(key, what == "stale"),
                remove=what == "remove",
            )
            for key, what in writes.items()
        ]
        good = all(
            what != "stale" and (what != "remove" or key in self.now)
            for key, what in writes.items()
        )
        try:
            rows = self.loop.run_until_complete(self.store.apply(wanted))
        except Conflict:
            assert not good
            return
        assert good
        for write, row in zip(wanted, rows, strict=True):
            if write.remove:
                self._drop(row.revision, write.key)
            else:
                self._put(row.revision, write.key, row.body)

    @rule(keys=st.lists(KEYS, min_size=2, max_size=5, unique=True))
    def several_at_once(self, keys: list[Key]) -> None:
        async def main() -> None:
            writes = [
                self.store.put(key, lambda r: b"%d" % r, expect=self._expect(key, stale=False))
                for key in keys
            ]
            for row in await asyncio.gather(*writes):
                self._put(row.revision, row.key, row.body)

        self.loop.run_until_complete(main())

    @rule(back=st.integers(0, 5))
    def compact(self, back: int) -> None:
        async def main() -> None:
            self.store.compact(max(self.store.compacted, self.store.revision - back))

        self.loop.run_until_complete(main())

    @precondition(lambda self: self.where != ":memory:")
    @rule()
    def reopen(self) -> None:
        compacted = self.store.compacted
        self.loop.run_until_complete(self.store.close())
        self.store = Store.open(self.where)
        assert self.store.compacted <= compacted

    @invariant()
    def reads_agree(self) -> None:
        assert self.store.revision == max(self.states)
        for resource in ("pods", "nodes"):
            for namespace in (None, "a", "b"):
                for revision in sorted(self.states)[-6:]:
                    self._agrees(resource, namespace, revision)

    def _agrees(self, resource: str, namespace: str | None, revision: int) -> None:
        expected = sorted(
            (key, value[0], value[1])
            for key, value in self.states[revision].items()
            if key.resource == resource and namespace in (None, key.namespace)
        )
        try:
            rows = self.store.rows_at(resource, namespace, revision)
        except Expired:
            assert revision < self.store.compacted
            return
        assert [(row.key, row.revision, row.body) for row in rows] == expected
        if revision == self.store.revision:
            assert list(self.store.rows(resource, namespace)) == list(rows)

    @invariant()
    def watches_agree(self) -> None:
        since = max(self.store.compacted, min(self.states))

        async def follow(resource: str, count: int) -> list[Change]:
            watch = self.store.watch(resource, None, since)
            seen: list[Change] = []
            while len(seen) < count:
                seen += await anext(watch)
            watch.close()
            return seen

        for resource in ("pods", "nodes"):
            expected = [
                change for change in self.changes if change[0] > since and change[2][0] == resource
            ]
            seen = self.loop.run_until_complete(follow(resource, len(expected)))
            assert [(change.revision, change.type, change.key) for change in seen] == expected


class DiskMachine(StoreMachine):
    """The same on a file, which is opened again now and then."""

    def place(self) -> str | Path:
        return Path(self.folder.name) / "store.db"


TestStoreInMemory = StoreMachine.TestCase
TestStoreInMemory.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestStoreOnDisk = DiskMachine.TestCase
TestStoreOnDisk.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
