"""A schema ready for use: unknown fields, pruning, defaults, validation with Kubernetes' causes."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.check import compile_check
from athanor.local.apiserver.schema.default import compile_defaulter
from athanor.local.apiserver.schema.prune import compile_pruner
from athanor.wire.status import Cause


class Schema:
    """A structural OpenAPI v3 schema of a whole object, compiled; references already resolved.

    Thread-safe; holds no state of the objects it sees. The schema itself is kept as `source`.
    """

    def __init__(self, source: JSON) -> None:
        self.source = source
        self._prune = compile_pruner(source, is_object=True)
        self._default = compile_defaulter(source)
        self._check = compile_check(source, is_object=True)

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

    def validate(self, obj: JSON, old: JSON | None = None) -> list[Cause]:
        """What is wrong with `obj`, and for an update with the step from `old` to it."""
        causes: list[Cause] = []
        if self._check is not None:
            self._check(obj, "", "", causes)
        return causes

    def _strange(self, obj: Value, *, drop: bool) -> list[str]:
        found = self._prune(obj, drop) if self._prune is not None else None
        return sorted(path.removeprefix(".") for path in found) if found else []
