"""What is served: every resource with its verbs, subresources, schema and strategy.

Built-in kinds are fixed; those of CustomResourceDefinitions come and go with their objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import force_setattr

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.status import Cause

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
"""All that a stored resource can do."""


class Schema(Protocol):
    """An OpenAPI v3 structural schema at work."""

    @property
    def source(self) -> JSON:
        """The schema as JSON, references resolved."""

    def prune(self, obj: JSON) -> Sequence[str]:
        """Drop unknown fields in place; answers their paths."""

    def certain(self, obj: JSON) -> bool:
        """A quick yes: nothing unknown, mistyped or wrong (rules apart). False: look closely."""

    def mistyped(self, obj: JSON) -> Sequence[Cause]:
        """Fields of a type that cannot be decoded."""

    def default(self, obj: JSON) -> JSON:
        """The object with the schema's defaults, in place."""

    def fill(self, obj: JSON) -> JSON:
        """As `default`, of an object that is certain."""

    def broken_rules(self, obj: JSON) -> Sequence[Cause]:
        """As `validate`, of a new object that is certain."""

    def validate(self, obj: JSON, old: JSON | None = None) -> Sequence[Cause]:
        """What is wrong with the object."""


class Sub(Struct, frozen=True, kw_only=True):
    """One subresource: its name, verbs, and the kind it takes and gives."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


class Served(Struct, frozen=True, kw_only=True):
    """One resource as served here."""

    resource: Resource
    strategy: Strategy
    verbs: tuple[str, ...] = VERBS
    subs: Mapping[str, Sub] = field(default_factory=dict)
    schema: Schema | None = None
    schema_json: JSON | None = None
    custom: bool = False
    columns: tuple[JSON, ...] = ()
    selectable: tuple[str, ...] = ()
    scale: JSON | None = None
    stored: bool = True
    storage: str = ""
    hub: str = ""
    """The apiVersion that objects are stored in, of a kind with several versions."""
    warning: str = ""
    """What everybody is told who uses it: that it is deprecated."""
    key: str = ""
    """The resource's name in the store; two groups may show one set of objects."""

    def __post_init__(self) -> None:
        """Asked for many times a request: said once."""
        force_setattr(self, "key", self.storage or self.resource.name)

    @property
    def second(self) -> bool:
        """Whether it shows objects that another resource, or version, stores."""
        return bool(self.storage or (self.hub and self.hub != self.resource.api_version))

    @property
    def has_status(self) -> bool:
        """Whether status is written through a subresource only."""
        return "status" in self.subs


class Catalog:
    """The resources served now. `generation` changes whenever the set does."""

    def __init__(self, built_in: Iterable[Served]) -> None:
        self._fixed = {_at(s): s for s in built_in}
        self._custom: dict[tuple[str, str, str], Served] = {}
        self._by_name: dict[str, Served] = {}
        self._by_kind: dict[tuple[str, str], Served] = {}
        self.generation = 0
        self._index()

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """What is served at `/apis/{group}/{version}/{plural}`."""
        at = (group, version, plural)
        return self._fixed.get(at) or self._custom.get(at)

    def by_name(self, name: str) -> Served | None:
        """A resource by the name it is stored under: `gangs.athanor.dev`."""
        return self._by_name.get(name)

    def by_kind(self, api_version: str, kind: str) -> Served | None:
        """The resource whose objects are of this kind."""
        return self._by_kind.get((api_version, kind))

    def all(self) -> list[Served]:
        """Every resource, built-in ones first."""
        return [*self._fixed.values(), *self._custom.values()]

    def has_custom(self, group: str) -> bool:
        """Whether a definition's resources are served in a group."""
        return any(at[0] == group for at in self._custom)

    def set_custom(self, served: Iterable[Served]) -> None:
        """Replace the custom resources by these."""
        self._custom = {_at(s): s for s in served if _at(s) not in self._fixed}
        self.generation += 1
        self._index()

    def _index(self) -> None:
        self._by_name, self._by_kind = {}, {}
        for served in self.all():
            self._by_kind.setdefault((served.resource.api_version, served.resource.kind), served)
            if served.stored and not served.second:
                self._by_name.setdefault(served.resource.name, served)


_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")


def age(version: str) -> tuple[int, int, int, str]:
    """Sorts as Kubernetes prefers: v2, v1, v2beta1, v1beta2, v1alpha1, then other words."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    major, stage, minor = found.groups()
    return ({None: 0, "beta": 1}.get(stage, 2), -int(major), -int(minor or 0), version)


def _at(served: Served) -> tuple[str, str, str]:
    r = served.resource
    return r.group, r.version, r.plural
