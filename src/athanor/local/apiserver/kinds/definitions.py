"""CustomResourceDefinition: defaults, what creation sets, checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver import crd_checks
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.schema.formats import FORMATS


def default(obj: JSON) -> None:
    """Singular and list kind follow from the kind; no conversion unless one is named."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.get("names")
    if isinstance(names, dict) and isinstance(kind := names.get("kind"), str) and kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, dict):
            version.setdefault("served", False)
            version.setdefault("storage", False)
            if isinstance(schema := version.get("schema"), dict):
                _tidy(schema.get("openAPIV3Schema"))


_KEPT = frozenset(("default", "example", "x-kubernetes-preserve-unknown-fields"))
"""Words of a schema that mean something when they say nothing."""
_NUMBERS = frozenset(
    ("maximum", "minimum", "multipleOf", "maxItems", "minItems", "maxLength", "minLength",
     "maxProperties", "minProperties")
)  # fmt: skip


def _tidy(schema: object) -> None:
    """Leave out of a schema what says nothing, as Kubernetes does when it writes it (in place)."""
    if not isinstance(schema, dict):
        return
    for word in [w for w, v in schema.items() if w not in _KEPT and v in ("", False, [], None)]:
        if word not in _NUMBERS and not (word == "additionalProperties" and schema[word] is False):
            del schema[word]
    for rule in schema.get("x-kubernetes-validations") or ():
        if isinstance(rule, dict):
            for word in [w for w, v in rule.items() if v == ""]:
                del rule[word]
    for word in ("items", "additionalProperties", "not"):
        _tidy(schema.get(word))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word) or ():
            _tidy(part)
    if isinstance(properties := schema.get("properties"), dict):
        for part in properties.values():
            _tidy(part)


def warnings(obj: JSON) -> Sequence[str]:
    """Formats of texts that nobody knows: they check nothing."""
    spec = obj.get("spec") or {}
    found = [(v.get("schema") or {}).get("openAPIV3Schema") for v in spec.get("versions") or ()]
    unknown = dict.fromkeys(name for schema in found for name in _strange(schema))
    return [f'unrecognized format "{name}"' for name in unknown]


_TEXTS = frozenset((*FORMATS, "password"))


def _strange(schema: object) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    form = schema.get("format")
    if schema.get("type") == "string" and form and form not in _TEXTS:
        yield form
    for word in ("items", "additionalProperties", "not"):
        yield from _strange(schema.get(word))
    for part in (schema.get("properties") or {}).values():
        yield from _strange(part)


def create(obj: JSON) -> None:
    """A new definition: nothing accepted yet, its storage version stored."""
    versions = (obj.get("spec") or {}).get("versions")
    stored = [
        v["name"]
        for v in (versions if isinstance(versions, list) else ())
        if isinstance(v, dict) and v.get("storage") and "name" in v
    ][:1]
    obj["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    }


STRATEGIES: Mapping[str, Strategy] = {
    "customresourcedefinitions.apiextensions.k8s.io": Strategy(
        default=default,
        create=create,
        check=crd_checks.check,
        check_new=crd_checks.check_new,
        warnings=warnings,
        check_update=crd_checks.check_update,
        generation=True,
        unconditional=False,
    )
}
