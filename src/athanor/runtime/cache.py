"""What a controller knows of the world: typed objects by key, with indexes, newest wins.

Filled by a watch (`athanor.runtime.informer`) and, ahead of it, by the answers to our own writes.
Objects are frozen; looking something up never copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from weakref import ReferenceType, ref

from msgspec import Struct

from athanor.api.meta import Object
from athanor.wire.selector import parse_labels
from athanor.wire.status import ApiError

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object

Index = Callable[[O], Iterable[str]]
"""The values an object is found under."""

Trim = Callable[[O], O]
"""Makes an object smaller: without what no controller of the process reads of it."""


class Key(NamedTuple):
    """An object's name within its kind; `namespace` is "" for cluster-wide kinds."""

    namespace: str
    name: str


def key_of(value: Object) -> Key:
    """The key of an object."""
    return Key(value.metadata.namespace, value.metadata.name)


def revision_of(text: str) -> int:
    """A resourceVersion as a number (KEP-5504: they compare); 0 for what is no number."""
    return int(text) if text.isdecimal() else 0


class Changed(NamedTuple, Generic[O]):
    """One change of a cache: what was, what is; None where there is nothing."""

    before: O | None
    after: O | None

    @property
    def newest(self) -> O:
        """The object as it is, or as it was last."""
        value = self.after if self.after is not None else self.before
        if value is None:
            raise ValueError("a change of nothing into nothing")
        return value


class News:
    """The keys of a cache that changed since they were last taken; at first all there are.

    For those who keep what they made of objects: level, not edge, for the objects are looked up.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = dict.fromkeys(keys)

    def add(self, key: Key) -> None:
        """An object came, changed or went."""
        self._keys[key] = None

    def take(self) -> list[Key]:
        """The keys, each once; afterwards there are none."""
        keys, self._keys = list(self._keys), {}
        return keys


class Cache(Generic[O]):
    """All objects of one kind, or those that a selector of labels fits."""

    def __init__(
        self, indexes: Mapping[str, Index[O]] | None = None, trims: Iterable[Trim[O]] = (),
        labels: str = "",
    ) -> None:  # fmt: skip
        self.labels = labels
        self._fits = parse_labels(labels).matches
        self._trims = tuple(trims)
        self._objects: dict[Key, O] = {}
        self._indexes = dict(indexes or {})
        self._found: dict[str, dict[str, dict[Key, None]]] = {name: {} for name in self._indexes}
        self._lookups = [(index, self._found[name]) for name, index in self._indexes.items()]
        self._news: list[ReferenceType[News]] = []
        self._seen = 0
        self.synced = False

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[O]:
        return iter(self._objects.values())

    @property
    def indexes(self) -> Mapping[str, Index[O]]:
        """The indexes there are."""
        return self._indexes

    @property
    def trims(self) -> tuple[Trim[O], ...]:
        """What is done to objects before they are kept."""
        return self._trims

    def get(self, key: Key) -> O | None:
        """The object, or None."""
        return self._objects.get(key)

    def follow(self) -> News:
        """What changes from now on, for as long as it is kept; it begins with all there is."""
        news = News(self._objects)
        self._news.append(ref(news, self._news.remove))
        return news

    def by(self, index: str, value: str) -> list[O]:
        """The objects found under a value of an index, in the order they came."""
        return [self._objects[key] for key in self._found[index].get(value, ())]

    def replace(self, objects: Iterable[O], revision: str) -> list[Changed[O]]:
        """The whole truth as of a revision: what differs from what was known, as changes."""
        self._seen = max(self._seen, revision_of(revision))
        fresh = {key_of(value): value for value in objects}
        gone = [
            value
            for key, value in self._objects.items()
            if key not in fresh and _version(value) <= self._seen
        ]
        changes = [change for value in gone if (change := self._put(key_of(value), None))]
        changes += [change for key, value in fresh.items() if (change := self._put(key, value))]
        self.synced = True
        return changes

    def upsert(self, value: O) -> Changed[O] | None:
        """The watch says: this object was added or changed."""
        self.reached(value.metadata.resource_version)
        return self._put(key_of(value), value)

    def remove(self, value: O) -> Changed[O] | None:
        """The watch says: this object was deleted."""
        self.reached(value.metadata.resource_version)
        held = self._objects.get(key_of(value))
        if held is not None and _version(held) > _version(value):
            return None  # deleted and made anew, and the new one is known already
        return self._put(key_of(value), None)

    def reached(self, revision: str) -> None:
        """The watch has come so far: answers to writes that are older say nothing new."""
        self._seen = max(self._seen, revision_of(revision))

    def wrote(self, value: O) -> Changed[O] | None:
        """The answer to a write of ours: known at once, unless the watch is past it already."""
        if _version(value) <= self._seen or not self._fits(value.metadata.labels):
            return None
        return self._put(key_of(value), value)

    def gone(self, key: Key, uid: str) -> Changed[O] | None:
        """A write of ours found no such object: the one held is forgotten if it is this one.

        A uid never comes back, so this holds even while the watch is cut off.
        """
        held = self._objects.get(key)
        return self._put(key, None) if held is not None and held.metadata.uid == uid else None

    def _put(self, key: Key, value: O | None) -> Changed[O] | None:
        held = self._objects.get(key)
        if held is None and value is None:
            return None
        if held is not None and value is not None and _version(held) >= _version(value) > 0:
            return None  # a write of ours is ahead of the watch
        if value is not None:
            for trim in self._trims:
                value = trim(value)
        for reference in tuple(self._news):  # one may go meanwhile
            if news := reference():
                news.add(key)
        if held is not None:
            self._forget(key, held)
        if value is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = value
            for index, found in self._lookups:
                for said in index(value):
                    found.setdefault(said, {})[key] = None
        return Changed(held, value)

    def _forget(self, key: Key, held: O) -> None:
        for index, found in self._lookups:
            for said in index(held):
                keys = found.get(said)
                if keys is not None:
                    keys.pop(key, None)
                    if not keys:
                        del found[said]


def _version(value: Object) -> int:
    return revision_of(value.metadata.resource_version)


def by_owner(value: Object) -> Iterable[str]:
    """Index: the uids of an object's owners."""
    return [owner.uid for owner in value.metadata.owner_references]


def by_label(label: str) -> Index[Object]:
    """Index: namespace/value of one label."""

    def index(value: Object) -> Iterable[str]:
        found = value.metadata.labels.get(label)
        return () if found is None else (f"{value.metadata.namespace}/{found}",)

    return index


class World(Protocol):
    """What `observe` may read: the caches its controller asked for, and its own last trouble."""

    def cache(self, view: type[O]) -> Cache[O]:
        """All objects of a kind that the controller watches. Raises KeyError for others."""

    def problem(self, key: Key) -> ApiError | None:
        """How the last apply for this key failed, if it did: a refusal is an observation too."""


class Refusal(Struct, frozen=True):
    """How the server refused the last try: the reason and message of its Status."""

    reason: str
    message: str

    @property
    def final(self) -> bool:
        """Whether the same try would be refused again, whatever else changes."""
        return self.reason in ("Invalid", "BadRequest")

    @property
    def lasting(self) -> bool:
        """Whether somebody has to do something: it is no trouble of the moment."""
        return self.final or self.reason == "Forbidden"


def refusal(world: World, key: Key) -> Refusal | None:
    """The problem of a key as a value that a plan may know."""
    problem = world.problem(key)
    return None if problem is None else Refusal(problem.reason, problem.message)


class Caches:
    """The caches of one process, by kind, shared by its controllers."""

    def __init__(self) -> None:
        self._caches: dict[type[Object], Cache[Any]] = {}

    def want(
        self, view: type[O], indexes: Mapping[str, Index[O]], trim: Trim[O] | None = None,
        labels: str = "",
    ) -> None:  # fmt: skip
        """A controller needs this kind, with these indexes. Only before the first object came.

        Raises ValueError when another one needs objects that other labels fit.
        """
        held = self._caches.get(view)
        if held is not None and held.labels != labels:
            raise ValueError(f"{view.__name__}s by {held.labels!r} and by {labels!r}: follow all")
        known, trims = (held.indexes, held.trims) if held is not None else ({}, ())
        trims = (*trims, *([trim] if trim else []))
        self._caches[view] = Cache({**known, **indexes}, trims, labels)

    def cache(self, view: type[O]) -> Cache[O]:
        """The cache of a kind. Raises KeyError when no controller asked for it."""
        return self._caches[view]

    def views(self) -> list[type[Object]]:
        """The kinds that are wanted."""
        return list(self._caches)
