"""The built-in resources as served here: verbs, subresources, schema and strategy of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import msgspec

from athanor.api import registry
from athanor.api.meta import JSON
from athanor.local.apiserver.catalog import VERBS, Served, Sub
from athanor.local.apiserver.kinds import STRATEGIES
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.schema.default import NULL
from athanor.local.apiserver.schema.formats import MICRO_TIME, QUANTITY
from athanor.local.apiserver.schema.schema import Schema
from athanor.wire.status import Cause
from athanor.wire.types.catalog import marked_schema_of, schema_of

_GPU = ("get", "patch", "update")
_STATUS = (
    "namespaces", "nodes", "pods", "services", "persistentvolumeclaims", "persistentvolumes",
    "resourcequotas", "customresourcedefinitions.apiextensions.k8s.io",
    "apiservices.apiregistration.k8s.io",
)  # fmt: skip
_ALL = ("pods", "services")
_EXTENSIONS = ("apiextensions.k8s.io", "apiregistration.k8s.io")
_OTHERS: dict[str, tuple[Sub, ...]] = {
    "namespaces": (Sub(name="finalize", verbs=("update",)),),
    "pods": (
        Sub(name="attach", verbs=("create", "get"), kind="PodAttachOptions"),
        Sub(name="binding", verbs=("create",), kind="Binding"),
        Sub(name="eviction", verbs=("create",), kind="Eviction", group="policy", version="v1"),
        Sub(name="exec", verbs=("create", "get"), kind="PodExecOptions"),
        Sub(name="log", verbs=("get",), kind="Pod"),
        Sub(name="portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
    ),
    "serviceaccounts": (
        Sub(
            name="token", verbs=("create",), kind="TokenRequest",
            group="authentication.k8s.io", version="v1",
        ),
    ),
}  # fmt: skip


_MICRO = ("acquireTime", "eventTime", "lastObservedTime", "renewTime")
"""Times that have exactly six digits after the second."""


_ZEROS: JSON = {"object": {}, "string": "", "integer": 0, "boolean": False}


def _exact(name: str, schema: JSON) -> JSON:
    """A field's schema with the format that decoding asks for, which documents do not say."""
    if name in _MICRO and schema.get("format") == "date-time":
        return {**schema, "format": MICRO_TIME}
    return _unkeyed(schema)


def _unkeyed(schema: JSON) -> JSON:
    """The schema without its lists' keys: the kinds' own checks say what must be unique."""
    marks = ("x-kubernetes-list-type", "x-kubernetes-list-map-keys")
    if schema.get("additionalProperties") == {"type": "string"}:
        return {**schema, "additionalProperties": {"type": "string", NULL: ""}}
    if schema.get("format") == "quantity":
        return {**schema, "format": QUANTITY}
    zero = _ZEROS.get((schema.get("items") or {}).get("type", ""))
    if zero is not None:
        schema = {**schema, "items": {**schema["items"], NULL: zero}}
    return {
        key: (
            {name: _exact(name, one) for name, one in value.items()}
            if key == "properties"
            else _unkeyed(value)
            if isinstance(value, dict) and key in ("items", "additionalProperties")
            else value
        )
        for key, value in schema.items()
        if key not in marks
    }


@cache
def _compiled(group: str, version: str, kind: str) -> Schema:
    """Once a process: a schema holds no state of the objects that it sees."""
    return Schema(_unkeyed(marked_schema_of(group, version, kind) or {}))


class LazySchema:
    """A built-in kind's schema, compiled when the first object of the kind is written."""

    def __init__(self, resource: registry.Resource) -> None:
        self._resource = resource

    @property
    def source(self) -> JSON:
        """The schema itself."""
        r = self._resource
        return schema_of(r.group, r.version, r.kind) or {}

    def _schema(self) -> Schema:
        return _compiled(self._resource.group, self._resource.version, self._resource.kind)

    def prune(self, obj: JSON) -> Sequence[str]:
        """Drop unknown fields in place; answers their paths."""
        return self._schema().prune(obj)

    def certain(self, obj: JSON) -> bool:
        """A quick yes: nothing unknown, mistyped or wrong."""
        return self._schema().certain(obj)

    def mistyped(self, obj: JSON) -> Sequence[Cause]:
        """Fields of a type that cannot be decoded."""
        return self._schema().mistyped(obj)

    def default(self, obj: JSON) -> JSON:
        """The object without nulls; built-in kinds have their defaults in their strategies."""
        return self._schema().default(obj)

    def fill(self, obj: JSON) -> JSON:
        """The object: built-in kinds have their defaults in their strategies."""
        return obj

    def broken_rules(self, obj: JSON) -> Sequence[Cause]:
        """Built-in kinds have no rules in CEL."""
        return ()

    def validate(self, obj: JSON, old: JSON | None = None) -> Sequence[Cause]:
        """Fields of a wrong type, missing ones, unknown words."""
        if self._resource.kind == "CustomResourceDefinition":
            return ()  # its own checks say all of it, at other paths
        return self._schema().validate(obj, old)


_DEPRECATED = {
    "endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
}


def served(resource: registry.Resource) -> Served:
    """How a built-in resource is served."""
    subs = {sub.name: sub for sub in _OTHERS.get(resource.name, ())}
    if resource.name in _STATUS:
        subs["status"] = Sub(name="status", verbs=_GPU, kind=resource.kind)
    verbs = tuple(v for v in VERBS if v != "deletecollection" or resource.name != "namespaces")
    if resource.name in _ALL:
        resource = msgspec.structs.replace(resource, categories=("all",))
    if resource.group in _EXTENSIONS:
        resource = msgspec.structs.replace(resource, categories=("api-extensions",))
    return Served(
        resource=resource,
        strategy=STRATEGIES.get(resource.name, Strategy()),
        verbs=verbs,
        subs=subs,
        schema=LazySchema(resource),
        storage="events" if resource.name == "events.events.k8s.io" else "",
        warning=_DEPRECATED.get(resource.name, ""),
    )


_REVIEWS = (
    ("authentication.k8s.io", "TokenReview", False),
    ("authentication.k8s.io", "SelfSubjectReview", False),
    ("authorization.k8s.io", "SubjectAccessReview", False),
    ("authorization.k8s.io", "SelfSubjectAccessReview", False),
    ("authorization.k8s.io", "SelfSubjectRulesReview", False),
    ("authorization.k8s.io", "LocalSubjectAccessReview", True),
)


def _review(group: str, kind: str, *, namespaced: bool) -> Served:
    resource = registry.Resource(
        group=group, version="v1", kind=kind, plural=f"{kind.lower()}s", namespaced=namespaced,
        singular=kind.lower(),
    )  # fmt: skip
    return Served(
        resource=resource, strategy=Strategy(), verbs=("create",), stored=False,
        schema=LazySchema(resource),
    )  # fmt: skip


def all_served() -> Iterable[Served]:
    """Every built-in resource, and the reviews that are answered but not stored."""
    stored = [served(resource) for resource in registry.BUILT_IN]
    reviews = (_review(group, kind, namespaced=n) for group, kind, n in _REVIEWS)
    return [*stored, *reviews, _BINDINGS]


_BINDINGS = Served(
    resource=registry.Resource(
        group="", version="v1", kind="Binding", plural="bindings", namespaced=True,
        singular="binding",
    ),
    strategy=Strategy(), verbs=("create",), stored=False,
)  # fmt: skip
"""The way to bind pods before they had a subresource for it."""
