"""Keeps a cache of typed objects true, and tells of every change.

The road is `athanor.runtime.following`'s; an object that cannot be read is said in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from athanor.api.meta import Object
from athanor.api.registry import of
from athanor.client.protocol import Client
from athanor.runtime.cache import Cache, Changed
from athanor.runtime.following import Following

log = logging.getLogger(__name__)

O = TypeVar("O", bound=Object)  # noqa: E741 - O for object


class Informer(Generic[O]):
    """Follows all objects of one kind into a cache and tells `notify` of every change."""

    def __init__(
        self,
        client: Client,
        view: type[O],
        cache: Cache[O],
        notify: Callable[[Changed[O]], None],
        dice: Callable[[], float],
    ) -> None:
        self._view = view
        self._cache = cache
        self._notify = notify
        self._decode = msgspec.json.Decoder(view).decode
        self._following: Following[O] = Following(
            client, of(view), self, labels=cache.labels, dice=dice
        )
        self.filled = self._following.filled
        self.run = self._following.run

    @property
    def restarts(self) -> int:
        """How often there was trouble."""
        return self._following.restarts

    def read(self, body: msgspec.Raw) -> O | None:
        """An object as this kind's view; None, and a line in the log, when it is none."""
        try:
            return self._decode(body)
        except msgspec.DecodeError as wrong:
            log.error("a %s cannot be read and is left out: %s", self._view.__name__, wrong)
            return None

    def replace(self, values: list[O], revision: str) -> None:
        """The whole collection."""
        for change in self._cache.replace(values, revision):
            self._notify(change)

    def change(self, value: O, deleted: bool) -> str:
        """One object."""
        change = self._cache.remove(value) if deleted else self._cache.upsert(value)
        if change is not None:
            self._notify(change)
        return value.metadata.resource_version

    def reached(self, revision: str) -> None:
        """How far the cache goes."""
        self._cache.reached(revision)
