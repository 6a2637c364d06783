"""A schema ready for use: unknown fields, pruning, defaults, validation with Kubernetes' causes."""

from __future__ import annotations

from functools import cached_property

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.causes import BLOCKING, NOT_CHECKED, Value
from athanor.local.apiserver.schema.check import Check, compile_check
from athanor.local.apiserver.schema.default import Defaulter, compile_defaulter, compile_filler
from athanor.local.apiserver.schema.prune import OBJECT_META, Pruner, compile_pruner
from athanor.local.apiserver.schema.quick import Quick, compile_quick
from athanor.local.apiserver.schema.rules import Run, compile_rules
from athanor.wire.status import Cause

_BUSY = 20
"""Objects of a schema after which it is worth its while to prepare the quick way."""
_NULL = 'Invalid value: "null"'
_ONLY_META: JSON = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": OBJECT_META,
    },
}


class Schema:
    """A structural OpenAPI v3 schema of a whole object; references already resolved.

    Each part is compiled when it is first needed. Holds no state of the objects it sees. The
    schema itself is kept as `source`.
    """

    def __init__(self, source: JSON) -> None:
        self.source = source
        self._quick: Quick | None = None
        self._seen = 0

    @cached_property
    def _prune(self) -> Pruner | None:
        return compile_pruner(self.source, is_object=True)

    @cached_property
    def _default(self) -> Defaulter | None:
        return compile_defaulter(_with_metadata(self.source))

    @cached_property
    def _fill(self) -> Defaulter | None:
        return compile_filler(_with_metadata(self.source))

    @cached_property
    def _check(self) -> Check | None:
        return compile_check(self.source, is_object=True)

    @cached_property
    def _types(self) -> Check | None:
        metadata = (self.source.get("properties") or {}).get("metadata") or {}
        whole = len(metadata.get("properties") or ()) > 2
        return self._check if whole else compile_check(_heads(self.source, _ONLY_META))

    @cached_property
    def _rules(self) -> Run | None:
        return compile_rules(_whole(self.source)) if _has_rules(self.source) else None

    def unknown(self, obj: JSON) -> list[str]:
        """Paths of fields that the schema does not know, sorted: `spec.foo`, `spec.a[0].b`."""
        return self._strange(obj, drop=False)

    def prune(self, obj: JSON) -> list[str]:
        """Drop unknown fields from `obj` (in place); answers with their paths, sorted."""
        return self._strange(obj, drop=True)

    def default(self, obj: JSON) -> JSON:
        """Fill in defaults and drop nulls where none may be (in place); answers with `obj`."""
        if self._default is not None:
            self._default(obj)
        return obj

    def fill(self, obj: JSON) -> JSON:
        """Fill in defaults (in place) of an object that is `certain`; answers with `obj`."""
        if self._fill is not None:
            self._fill(obj)
        return obj

    def broken_rules(self, obj: JSON) -> list[Cause]:
        """Which CEL rules a new object breaks that is `certain`."""
        causes: list[Cause] = []
        if self._rules is not None:
            self._rules(obj, None, "", "", causes)
        return causes

    def mistyped(self, obj: JSON) -> list[Cause]:
        """Fields that cannot even be decoded: all of a built-in kind's, a custom one's metadata.

        A null counts as absent; in a list of a built-in kind it is what says nothing.
        """
        causes: list[Cause] = []
        if self._types is not None:
            self._types(obj, "", "", causes)
        whole = self._types is self._check
        return [
            cause
            for cause in causes
            if cause.reason == "FieldValueTypeInvalid"
            and not (cause.message.startswith(_NULL) and (whole or not cause.field.endswith("]")))
        ]

    def validate(self, obj: JSON, old: JSON | None = None) -> list[Cause]:
        """What is wrong with `obj`, and for an update with the step from `old` to it."""
        causes: list[Cause] = []
        if self._check is not None and not self._surely(obj):
            self._check(obj, "", "", causes)
        # no rule can look at values that are of a wrong type, old as they may be
        blind = any(cause.reason == "FieldValueTypeInvalid" for cause in causes)
        if causes and old is not None:
            causes = _not_old(self._check, causes, old)
        if self._rules is not None:
            if blind or any(cause.reason in BLOCKING for cause in causes):
                return [*causes, NOT_CHECKED] if causes else []
            self._rules(obj, old, "", "", causes)
        return causes

    def certain(self, obj: JSON) -> bool:
        """A quick yes: nothing unknown, mistyped or wrong, CEL apart. False: look closely."""
        return self._surely(obj)

    def _surely(self, obj: JSON) -> bool:
        """Whether the quick way says that nothing is wrong."""
        if self._quick is not None:
            return self._quick(obj)
        self._seen += 1
        if self._seen >= _BUSY:
            self._quick = compile_quick(self.source)
        return False

    def _strange(self, obj: Value, *, drop: bool) -> list[str]:
        found = self._prune(obj, drop) if self._prune is not None else None
        return sorted(path.removeprefix(".") for path in found) if found else []


def _with_metadata(source: JSON) -> JSON:
    """The schema with ObjectMeta's own fields, where it says nothing of them."""
    properties = source.get("properties") or {}
    if len((properties.get("metadata") or {}).get("properties") or ()) > 2:
        return source
    return {**source, "properties": {**properties, "metadata": OBJECT_META}}


def _has_rules(schema: Value) -> bool:
    if isinstance(schema, dict):
        return "x-kubernetes-validations" in schema or any(map(_has_rules, schema.values()))
    return isinstance(schema, list) and any(map(_has_rules, schema))


def _heads(source: JSON, known: JSON) -> JSON:
    """`known` and, of a custom kind's schema, the metadata of objects embedded in it."""
    properties = dict(known.get("properties") or {})
    for name, sub in (source.get("properties") or {}).items():
        if name not in properties and (found := _heads(sub, _embedded(sub))):
            properties[name] = found
    inner: JSON = {**known, "properties": properties} if properties else {}
    for word in ("items", "additionalProperties"):
        if isinstance(sub := source.get(word), dict) and (found := _heads(sub, _embedded(sub))):
            inner[word] = found
    return inner


def _embedded(schema: JSON) -> JSON:
    if not schema.get("x-kubernetes-embedded-resource"):
        return {}
    return {"properties": {"metadata": OBJECT_META}}


_NAMED: JSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}


def _whole(source: JSON) -> JSON:
    """The schema as rules at the root see it: with apiVersion, kind and the metadata's names."""
    text: JSON = {"type": "string"}
    implied = {"apiVersion": text, "kind": text, "metadata": _NAMED}
    return {**source, "properties": {**(source.get("properties") or {}), **implied}}


def _not_old(check: Check | None, causes: list[Cause], old: JSON) -> list[Cause]:
    """Causes that this update brings in: what was wrong before and did not change may stay.

    Kubernetes calls it ratcheting: a stricter schema does not stop changes elsewhere.
    """
    before: list[Cause] = []
    if check is not None:
        check(old, "", "", before)
    known = set(before)
    return [cause for cause in causes if cause not in known]
