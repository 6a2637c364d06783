"""What every part of the server works with: the store, time, names, the catalog, one request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from msgspec import Struct, field

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.kit.clock import Clock
from athanor.kit.ids import Ids
from athanor.kit.times import rfc3339
from athanor.local.apiserver.catalog import Catalog, Served
from athanor.local.apiserver.route import Target
from athanor.local.store.model import Key
from athanor.local.store.store import Store
from athanor.wire.request import Request, User
from athanor.wire.status import ApiError

Observer = Callable[[Served, JSON | None, JSON | None], None]
"""Told of every accepted write, in order: (what, the object before, the object after)."""

Judge = Callable[["Call", JSON, JSON | None], None]
"""Asked before every write: (the request, the object as it will be, as it is). Raises ApiError."""

decode: Callable[[bytes], JSON] = msgspec.json.Decoder(dict).decode


def as_served(served: Served, body: bytes) -> JSON:
    """A stored object, decoded, in the version in which it is served."""
    obj = decode(body)
    if served.hub:
        obj["apiVersion"] = served.resource.api_version
    return obj


_KNOWN = 1000
"""Most objects kept decoded."""


class Core:
    """The tools of the server: `judges` are asked before every write, `observers` told after."""

    authority = ""
    """The certificate authority's certificate (PEM) that every namespace is given."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, catalog: Catalog) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.catalog = catalog
        self._known: dict[Key, tuple[int, JSON]] = {}
        self._derived: dict[str, tuple[int, JSON | None]] = {}
        self._second, self._now = -1, ""
        self.observers: list[Observer] = []
        self._followers: dict[str, list[Observer]] = {}
        self._fewer: list[Observer] = []
        self.judges: list[Judge] = []

    def now(self) -> str:
        """The time, as metadata has it."""
        second = int(self.clock.now())
        if second != self._second:
            self._second, self._now = second, rfc3339(second)
        return self._now

    def follow(self, observer: Observer, resources: Iterable[str]) -> None:
        """Tell an observer of writes of some resources (by their key) and of all deletions.

        Those in `observers` are told of everything.
        """
        self._fewer.append(observer)
        for resource in resources:
            self._followers.setdefault(resource, []).append(observer)

    def told(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """Tell everyone who follows such writes."""
        for observer in self.observers:
            observer(served, old, new)
        for observer in self._fewer if new is None else self._followers.get(served.key, ()):
            observer(served, old, new)

    def known(self, resource: str, namespace: str, name: str) -> JSON | None:
        """As `latest`, for what every write asks about: decoded once a revision. Read only."""
        key = Key(resource, namespace, name)
        row = self.store.latest(key)
        if row is None:
            return None
        kept = self._known.get(key)
        if kept is None or kept[0] != row.revision:
            if len(self._known) > _KNOWN:
                self._known.clear()
            kept = self._known[key] = (row.revision, decode(row.body))
        return kept[1]

    def derived(self, resource: str, make: Callable[[Core], JSON | None]) -> JSON | None:
        """What `make` says of all objects of a resource: asked again when one has changed."""
        newest = self.store.newest(resource)
        kept = self._derived.get(resource)
        if kept is None or kept[0] != newest:
            kept = self._derived[resource] = (newest, make(self))
        return kept[1]

    def latest(self, resource: str, namespace: str, name: str) -> JSON | None:
        """An object as last accepted, decoded."""
        row = self.store.latest(Key(resource, namespace, name))
        return None if row is None else decode(row.body)


class Call(Struct, kw_only=True):
    """One request on its way through the server."""

    request: Request
    target: Target
    user: User
    served: Served
    dry_run: bool = False
    validation: str = "Warn"
    manager: str = ""
    applies: bool = False
    clean: bool = False
    """Whether the object at hand is known to fit its kind's schema."""
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        """The resource asked about."""
        return self.served.resource

    def key(self, name: str = "") -> Key:
        """Where the object lives that the request is about."""
        return Key(
            self.served.key,
            self.target.namespace if self.resource.namespaced else "",
            name or self.target.name,
        )


class Outcome(Struct, frozen=True):
    """What a write did: the object as it stands (its bytes) and the HTTP code."""

    body: bytes
    code: int = 200


Write = Callable[["Core", Call], Awaitable[Outcome]]


_encode = msgspec.json.Encoder().encode


def encoder(obj: JSON, most: int = 1 << 62) -> Callable[[int], bytes]:
    """Gives the object's JSON with the revision it will have. The object is then not changed.

    Raises ApiError for more than `most` bytes.
    """
    meta = obj["metadata"]

    def encode(revision: int) -> bytes:
        meta["resourceVersion"] = str(revision)
        encoded = _encode(obj)
        if len(encoded) > most:
            raise ApiError(
                "RequestEntityTooLarge",
                f"the {obj['kind']} has {len(encoded)} bytes: the limit is {most}",
            )
        return encoded

    return encode
