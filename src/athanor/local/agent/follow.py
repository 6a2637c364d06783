"""Follows a collection as plain JSON, for what our views leave out: whole pods, config maps."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.client.protocol import Client
from athanor.runtime.following import Following


class Follower:
    """Keeps `objects` (by "namespace/name") true and tells of each change after it."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        changed: Callable[[str, JSON | None, JSON | None], None],
        fields: str = "",
    ) -> None:
        """`changed(key, old, new)`: either may be None."""
        self._resource = resource
        self._changed = changed
        self.objects: dict[str, JSON] = {}
        # what a list leaves out is ended, so an old one will not do
        following: Following[JSON] = Following(client, resource, self, fields=fields, memory=False)
        self.filled = following.filled
        self.run = following.run

    def read(self, body: msgspec.Raw) -> JSON:
        """An object as it is; items of lists are told their kind."""
        value: JSON = msgspec.json.decode(body)
        value.setdefault("kind", self._resource.kind)
        value.setdefault("apiVersion", self._resource.api_version)
        return value

    def replace(self, values: list[JSON], revision: str) -> None:
        """The whole collection."""
        now = {_key(value): value for value in values}
        for key in [key for key in self.objects if key not in now]:
            self._set(key, None)
        for key, value in now.items():
            self._set(key, value)

    def change(self, value: JSON, deleted: bool) -> str:
        """One object."""
        self._set(_key(value), None if deleted else value)
        return str(value["metadata"]["resourceVersion"])

    def reached(self, revision: str) -> None:
        """How far we are is of no interest here."""

    def _set(self, key: str, value: JSON | None) -> None:
        old = self.objects.pop(key, None)
        if value is not None:
            self.objects[key] = value
        if old != value:
            self._changed(key, old, value)


def _key(value: JSON) -> str:
    meta = value["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"
