"""Which built-in types there are, and their schemas, parsed when first asked for.

Field names and types are facts of the Kubernetes 1.36 API; the descriptions are our own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from athanor.api.meta import JSON
from athanor.wire.types import (
    apiextensions,
    apiregistration,
    authentication,
    authorization,
    autoscaling,
    batch,
    coordination,
    core,
    core_pods,
    core_volumes,
    discovery,
    events,
    meta,
    numbers,
    policy,
    rbac,
    scheduling,
    storage,
    table,
    words,
)

COMMON = words.COMMON
"""Descriptions of fields that every object has."""

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "meta": (meta.TEXT,),
    "core": (core.TEXT, core_pods.TEXT, core_volumes.TEXT),
    "apiextensions": (apiextensions.TEXT,),
    "apiregistration": (apiregistration.TEXT,),
    "authentication": (authentication.TEXT,),
    "authorization": (authorization.TEXT,),
    "autoscaling": (autoscaling.TEXT,),
    "batch": (batch.TEXT,),
    "coordination": (coordination.TEXT,),
    "discovery": (discovery.TEXT,),
    "events": (events.TEXT,),
    "policy": (policy.TEXT,),
    "rbac": (rbac.TEXT,),
    "scheduling": (scheduling.TEXT,),
    "storage": (storage.TEXT,),
}

PACKAGES: Mapping[str, str] = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}
"""How OpenAPI documents call a table; the others are io.k8s.api.TABLE.v1."""

KINDS: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("", "v1"): (
        "core",
        (
            "Namespace", "Node", "Pod", "Service", "Endpoints", "ConfigMap", "Secret",
            "ServiceAccount", "Event", "PersistentVolumeClaim", "PersistentVolume",
            "ResourceQuota", "LimitRange", "Binding", "PodTemplate",
        ),
    ),
    ("coordination.k8s.io", "v1"): ("coordination", ("Lease",)),
    ("events.k8s.io", "v1"): ("events", ("Event",)),
    ("discovery.k8s.io", "v1"): ("discovery", ("EndpointSlice",)),
    ("scheduling.k8s.io", "v1"): ("scheduling", ("PriorityClass",)),
    ("storage.k8s.io", "v1"): ("storage", ("StorageClass",)),
    ("rbac.authorization.k8s.io", "v1"): (
        "rbac", ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    ),
    ("authentication.k8s.io", "v1"): (
        "authentication", ("TokenReview", "TokenRequest", "SelfSubjectReview"),
    ),
    ("authorization.k8s.io", "v1"): (
        "authorization",
        (
            "SubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
        ),
    ),
    ("apiextensions.k8s.io", "v1"): ("apiextensions", ("CustomResourceDefinition",)),
    ("apiregistration.k8s.io", "v1"): ("apiregistration", ("APIService",)),
    ("policy", "v1"): ("policy", ("Eviction",)),
    ("autoscaling", "v1"): ("autoscaling", ("Scale",)),
    ("batch", "v1"): ("batch", ("Job", "CronJob")),
}  # fmt: skip
"""Group and version → its table, and its kinds (each with a …List, reviews and such apart)."""


@cache
def _lines(group: str) -> dict[str, tuple[str, str]]:
    found = {}
    for text in _TEXTS[group]:
        for name, body in table.lines(text).items():
            found[name.rstrip("@")] = (name, body)
    return found


@cache
def definition(reference: str) -> JSON:
    """The definition `group.Name` with its references unresolved. Shared: do not change it."""
    group, _, name = reference.partition(".")
    spelled, body = _lines(group)[name]
    schema = table.definition(spelled, body, group)
    described: JSON = {}
    said_of = words.words()
    if (words_of := said_of.get(reference)) is not None:
        described["description"] = words_of
    for field, member in schema.get("properties", {}).items():
        said = said_of.get(f"{reference}.{field}") or words.COMMON.get(field)
        if said is not None:
            member["description"] = said
    return {**described, **schema}


def definition_schema(reference: str) -> JSON:
    """The schema of any definition, references resolved: `meta.ObjectMeta`. Shared."""
    return _resolved(reference)


def full_name(reference: str) -> str:
    """How OpenAPI documents call `group.Name`: io.k8s.api.core.v1.Pod."""
    group, _, name = reference.partition(".")
    return f"{PACKAGES.get(group, f'io.k8s.api.{group}.v1')}.{name}"


def reference_of(group: str, version: str, kind: str) -> str | None:
    """`table.Kind` of a built-in kind, or None."""
    table_, kinds = KINDS.get((group, version), ("", ()))
    if kind in kinds:
        return f"{table_}.{kind}"
    return f"meta.{kind}" if kind in ("Status", "DeleteOptions") and version == "v1" else None


@cache
def schema_of(group: str, version: str, kind: str) -> JSON | None:
    """The whole schema of a built-in kind, references resolved; None for other kinds.

    Parts are shared between schemas: treat them as immutable. Fields of enum types also take "",
    which Kubernetes reads as unset; nothing in a status is required, nor what a server does not
    insist on. A type inside itself (JSONSchemaProps) is any object.
    """
    reference = reference_of(group, version, kind)
    return None if reference is None else _resolved(reference)


_MARKS = ("x-kubernetes-patch-strategy", "x-kubernetes-map-type", "description")
_NOT_INSISTED: Mapping[str, frozenset[str]] = {
    "core.Event": frozenset(("involvedObject", "metadata")),
    "core.LimitRangeSpec": frozenset(("limits",)),
    "core.PreferredSchedulingTerm": frozenset(("preference", "weight")),
    "core.SleepAction": frozenset(("seconds",)),
    "discovery.EndpointSlice": frozenset(("endpoints",)),
    "scheduling.PriorityClass": frozenset(("value",)),
}
"""Required by the documents, but Go's zero value will do."""


@cache
def marked_schema_of(group: str, version: str, kind: str) -> JSON | None:
    """As `schema_of`, with a mark on every field that is left out when it says nothing.

    Go's `omitempty`: "", 0, false, an empty list or map of a field that is no pointer.
    """
    reference = reference_of(group, version, kind)
    return None if reference is None else _resolved(reference, marked=True)


OMITTED = "x-athanor-omitted"
"""The mark of `marked_schema_of`."""
_PLAIN = frozenset(("array", "boolean", "integer", "number", "string"))


@cache
def _pointers() -> Mapping[str, frozenset[str]]:
    """Type → its fields that are pointers: what is set to nothing is set."""
    return {
        name: frozenset(word[1:] for word in body.split() if word.startswith("*"))
        for name, body in table.lines(numbers.TEXT).items()
    }


def _is_omitted(of: str, name: str, schema: JSON, required: Sequence[str]) -> bool:
    known = _pointers().get(of)
    if known is None or name in known or name in required or of.startswith("meta.Object"):
        return False
    if schema.get("format") == "date-time":
        return False
    return schema.get("type") in _PLAIN or "additionalProperties" in schema


@cache
def _resolved(reference: str, strict: bool = True, *, marked: bool = False) -> JSON:
    return _resolve(definition(reference), (reference,), strict, marked)


def _resolve(schema: JSON, above: tuple[str, ...], strict: bool, marked: bool = False) -> JSON:
    if (reference := schema.get("$ref")) is not None:
        if reference in above:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        known = (
            _resolved(reference, strict, marked=marked)
            if reference != "apiextensions.JSONSchemaProps"
            else _resolve(definition(reference), (*above, reference), strict, marked)
        )
        marks = {mark: schema[mark] for mark in _MARKS if mark in schema}
        return {**known, **marks} if marks else known
    resolved = dict(schema)
    if (properties := schema.get("properties")) is not None:
        resolved["properties"] = {
            key: _resolve(value, above, strict and key != "status", marked)
            for key, value in properties.items()
        }
        for key, value in resolved["properties"].items() if marked else ():
            if _is_omitted(above[-1], key, value, schema.get("required", ())):
                resolved["properties"][key] = {**value, OMITTED: True}
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            resolved[inner] = _resolve(schema[inner], above, strict, marked)
    if "enum" in schema:
        resolved["enum"] = ["", *schema["enum"]]
    if "required" in schema:
        needless = _NOT_INSISTED.get(above[-1], frozenset())
        insisted = [name for name in schema["required"] if name not in needless]
        resolved["required"] = insisted if strict else []
        if not resolved["required"]:
            del resolved["required"]
    return resolved
