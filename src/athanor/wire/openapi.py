"""The OpenAPI v3 documents of a server: an index, and one document a group and version.

Enough for `kubectl explain`, client-side validation and server-side apply's detection. Built-in
kinds come from the type tables, custom ones bring their schema along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.wire.types import catalog

VERSION = "1.36"
_SCHEMAS = "#/components/schemas/"
_COMPONENTS: Mapping[str, tuple[str, JSON]] = {
    "quantity": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {
            "description": "An amount: a number with an optional suffix (m, k, M, G, Ki, Mi, Gi).",
            "oneOf": [{"type": "string"}, {"type": "number"}],
        },
    ),
    "date-time": (
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
        {"description": "A moment: RFC 3339, in UTC.", "type": "string", "format": "date-time"},
    ),
    "int-or-string": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {
            "description": "A number, or a name or percentage.",
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        },
    ),
}
_ANY_JSON = (
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    {"description": "Any JSON value."},
)
_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)


class Documented(Struct, frozen=True, kw_only=True):
    """One served resource. `schema` is a custom kind's; built-in kinds need none.

    `verbs` as in discovery; `subresources`: name → (verbs, kind as (group, version, kind)).
    """

    resource: Resource
    verbs: tuple[str, ...]
    subresources: Mapping[str, tuple[tuple[str, ...], tuple[str, str, str]]] = {}
    schema: JSON | None = None


def document(group: str, version: str, served: Sequence[Documented]) -> JSON:
    """The document of one group and version."""
    builder = _Builder()
    paths: JSON = {}
    for each in served:
        paths.update(_paths(each, builder))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(builder.schemas.items()))},
    }


def index(documents: Iterable[tuple[str, str, bytes]]) -> JSON:
    """`/openapi/v3`: where each (group, version, encoded document) is; the hash lets it cache."""
    paths = {}
    for group, version, body in documents:
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        digest = hashlib.sha256(body).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


class _Builder:
    """Collects the schemas that a document's paths refer to."""

    def __init__(self) -> None:
        self.schemas: JSON = {}

    def kind(self, group: str, version: str, kind: str, schema: JSON | None) -> JSON:
        """A reference to a kind's schema, which is now in the document."""
        reference = catalog.reference_of(group, version, kind)
        if reference is not None:
            name = self._built_in(reference)
        else:
            domain = ".".join(reversed(group.split(".")))
            name = f"{domain}.{version}.{kind}"
            self.schemas.setdefault(name, self._custom(schema or {"type": "object"}))
        self.schemas[name] = {
            **self.schemas[name],
            "x-kubernetes-group-version-kind": [{"group": group, "kind": kind, "version": version}],
        }
        return {"$ref": _SCHEMAS + name}

    def list_(self, group: str, version: str, kind: str, items: JSON) -> JSON:
        """A reference to the schema of a kind's list."""
        name = items["$ref"].removeprefix(_SCHEMAS) + "List"
        if name not in self.schemas:
            meta = catalog.full_name("meta.ListMeta")
            self._built_in("meta.ListMeta")
            self.schemas[name] = {
                "description": f"A list of {kind} objects.",
                "type": "object",
                "required": ["items"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": _ref(meta),
                    "items": {"type": "array", "items": {"default": {}, "allOf": [items]}},
                },
                "x-kubernetes-group-version-kind": [
                    {"group": group, "kind": f"{kind}List", "version": version}
                ],
            }
        return {"$ref": _SCHEMAS + name}

    def _built_in(self, reference: str) -> str:
        name = catalog.full_name(reference)
        if name not in self.schemas:
            self.schemas[name] = {}  # types may contain themselves
            self.schemas[name] = self._referring(catalog.definition(reference))
        return name

    def _custom(self, schema: JSON) -> JSON:
        meta = self._built_in("meta.ObjectMeta")
        properties = {
            "apiVersion": {"type": "string", "description": catalog.COMMON["apiVersion"]},
            "kind": {"type": "string", "description": catalog.COMMON["kind"]},
            **schema.get("properties", {}),
            "metadata": {**_ref(meta), "description": catalog.COMMON["metadata"]},
        }
        return self._with_embedded({**schema, "properties": properties})

    def _with_embedded(self, schema: JSON) -> JSON:
        """A custom schema whose embedded resources show what every object has."""
        out = dict(schema)
        if isinstance(schema.get("properties"), dict):
            out["properties"] = {
                name: self._with_embedded(inner) for name, inner in schema["properties"].items()
            }
        for inner in ("items", "additionalProperties"):
            if isinstance(schema.get(inner), dict):
                out[inner] = self._with_embedded(schema[inner])
        if schema.get("x-kubernetes-embedded-resource"):
            meta = catalog.full_name("meta.ObjectMeta")
            shared = {
                "apiVersion": {"type": "string", "description": catalog.COMMON["apiVersion"]},
                "kind": {"type": "string", "description": catalog.COMMON["kind"]},
                "metadata": {**_ref(meta), "description": catalog.COMMON["metadata"]},
            }
            out["properties"] = {**out.get("properties", {}), **shared}
            out["required"] = sorted({*out.get("required", ()), "apiVersion", "kind"})
        return out

    def _referring(self, schema: JSON) -> JSON:
        """The schema with references to components of the document."""
        out: JSON = {}
        for key, value in schema.items():
            match key:
                case "$ref":
                    out.update(_ref(self._built_in(value)))
                case "properties":
                    out[key] = {name: self._referring(inner) for name, inner in value.items()}
                case "items" | "additionalProperties":
                    out[key] = self._referring(value)
                case "x-kubernetes-preserve-unknown-fields":
                    pass
                case _:
                    out[key] = value
        shared = _COMPONENTS.get(str(schema.get("format", "")))
        if schema.keys() <= _NOTHING:
            shared = _ANY_JSON
        if shared is None:
            return out
        self.schemas.setdefault(*shared)
        described = {"description": schema["description"]} if "description" in schema else {}
        return {**described, **_ref(shared[0])}


_NOTHING = frozenset(("x-kubernetes-preserve-unknown-fields", "description"))


def _ref(name: str) -> JSON:
    return {"allOf": [{"$ref": _SCHEMAS + name}]}


# --- paths ------------------------------------------------------------------------------------


def _param(name: str, type_: str, place: str = "query") -> JSON:
    schema = {"type": type_, "uniqueItems": True}
    return {"name": name, "in": place, "schema": schema} | (
        {"required": True} if place == "path" else {}
    )


_WRITE = [_param(name, "string") for name in ("dryRun", "fieldManager", "fieldValidation")]
_FORCE = _param("force", "boolean")
_READ = [
    _param("allowWatchBookmarks", "boolean"), _param("continue", "string"),
    _param("fieldSelector", "string"), _param("labelSelector", "string"),
    _param("limit", "integer"), _param("resourceVersion", "string"),
    _param("resourceVersionMatch", "string"), _param("sendInitialEvents", "boolean"),
    _param("timeoutSeconds", "integer"), _param("watch", "boolean"),
]  # fmt: skip
_DELETE = [
    _param("dryRun", "string"), _param("gracePeriodSeconds", "integer"),
    _param("propagationPolicy", "string"),
]  # fmt: skip

_COLLECTION = {"list": ("get", "list", _READ), "create": ("post", "post", _WRITE),
               "deletecollection": ("delete", "deletecollection", _READ + _DELETE)}  # fmt: skip
_OBJECT = {"get": ("get", "get", []), "update": ("put", "put", _WRITE),
           "patch": ("patch", "patch", [*_WRITE, _FORCE]),
           "delete": ("delete", "delete", _DELETE)}  # fmt: skip
_SUB = {**_OBJECT, "create": ("post", "post", _WRITE)}


def _paths(each: Documented, builder: _Builder) -> JSON:
    r = each.resource
    gvk = {"group": r.group, "version": r.version, "kind": r.kind}
    schema = builder.kind(r.group, r.version, r.kind, each.schema)
    listed = schema
    if "list" in each.verbs:
        listed = builder.list_(r.group, r.version, r.kind, schema)
    base = f"{r.prefix}/namespaces/{{namespace}}" if r.namespaced else r.prefix
    place = [_param("namespace", "string", "path")] if r.namespaced else []
    custom = each.schema is not None
    paths: JSON = {}
    _add(
        paths, f"{base}/{r.plural}", place,
        _operations(_COLLECTION, each.verbs, gvk, schema, {"get": listed}, custom),
    )  # fmt: skip
    if r.namespaced and "list" in each.verbs:
        everywhere = _operations(_COLLECTION, ("list",), gvk, schema, {"get": listed}, custom)
        _add(paths, f"{r.prefix}/{r.plural}", [], everywhere)
    named = [*place, _param("name", "string", "path")]
    _add(
        paths, f"{base}/{r.plural}/{{name}}", named,
        _operations(_OBJECT, each.verbs, gvk, schema, {}, custom),
    )  # fmt: skip
    for name, (verbs, (group, version, kind)) in each.subresources.items():
        same = (group, version, kind) == (r.group, r.version, r.kind)
        known = same or catalog.reference_of(group, version, kind) is not None
        body = schema if same else builder.kind(group, version, kind, None) if known else {}
        sub = _operations(
            _SUB, verbs, {"group": group, "version": version, "kind": kind}, body, {}, custom
        )
        _add(paths, f"{base}/{r.plural}/{{name}}/{name}", named, sub)
    return paths


def _add(paths: JSON, path: str, parameters: list[JSON], operations: JSON) -> None:
    if operations:
        paths[path] = {**operations, **({"parameters": parameters} if parameters else {})}


def _operations(
    table: Mapping[str, tuple[str, str, list[JSON]]], verbs: Sequence[str], gvk: JSON, schema: JSON,
    answers: Mapping[str, JSON], custom: bool,
) -> JSON:  # fmt: skip
    found: JSON = {}
    for verb, (method, action, parameters) in table.items():
        if verb not in verbs:
            continue
        answer = answers.get(method, schema)
        operation: JSON = {
            "description": f"{verb} {gvk['kind']}",
            "responses": {
                "200": {"description": "OK", "content": {"application/json": {"schema": answer}}}
            },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        }
        if parameters:
            operation["parameters"] = parameters
        if method in ("post", "put"):
            operation["requestBody"] = {
                "content": {"application/json": {"schema": schema}}, "required": True,
            }  # fmt: skip
        if method == "patch":
            types = _PATCH_TYPES if custom else (*_PATCH_TYPES, _STRATEGIC)
            operation["requestBody"] = {
                "content": {type_: {"schema": {"type": "object"}} for type_ in types},
                "required": True,
            }
        found[method] = operation
    return found


_STRATEGIC = "application/strategic-merge-patch+json"


def encode(built: JSON) -> bytes:
    """A document as it is sent."""
    return msgspec.json.encode(built)
