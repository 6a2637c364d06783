"""What stands now: rows by resource, namespace and name, in order."""

from __future__ import annotations

from bisect import bisect_left, insort

from athanor.local.store.model import Key, Row


class _Space:
    """The rows of one resource in one namespace; `names` is kept sorted."""

    __slots__ = ("names", "rows")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: dict[str, Row] = {}


class Tables:
    """The visible state."""

    def __init__(self) -> None:
        self._resources: dict[str, dict[str, _Space]] = {}

    def get(self, key: Key) -> Row | None:
        """The row at a key."""
        try:
            return self._resources[key[0]][key[1]].rows.get(key[2])
        except KeyError:
            return None

    def put(self, row: Row) -> None:
        """Insert or replace a row."""
        resource, namespace, name = row.key
        spaces = self._resources.setdefault(resource, {})
        space = spaces.get(namespace)
        if space is None:
            space = spaces[namespace] = _Space()
        if name not in space.rows:
            insort(space.names, name)
        space.rows[name] = row

    def drop(self, key: Key) -> None:
        """Remove the row at a key, which must exist."""
        spaces = self._resources[key.resource]
        space = spaces[key.namespace]
        del space.rows[key.name]
        del space.names[bisect_left(space.names, key.name)]
        if not space.rows:
            del spaces[key.namespace]

    def rows(self, resource: str, namespace: str | None = None) -> list[Row]:
        """A new list of rows sorted by (namespace, name); None means every namespace."""
        spaces = self._resources.get(resource, {})
        if namespace is not None:
            space = spaces.get(namespace)
            return [] if space is None else [space.rows[name] for name in space.names]
        found: list[Row] = []
        for _, space in sorted(spaces.items()):
            found += [space.rows[name] for name in space.names]
        return found

    def count(self, resource: str, namespace: str | None = None) -> int:
        """How many rows `rows` would give."""
        spaces = self._resources.get(resource, {})
        if namespace is not None:
            space = spaces.get(namespace)
            return 0 if space is None else len(space.rows)
        return sum(len(space.rows) for space in spaces.values())

    def counts(self) -> dict[str, int]:
        """Rows of each resource, for metrics."""
        return {resource: self.count(resource) for resource in self._resources}
