"""What a CustomResourceDefinition may say: names, versions, a structural schema, columns, paths.

Wording and paths are those of Kubernetes' apiextensions; each was asked of a real server. Values of
a wrong type are the built-in schema's business; here they are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import errors, names
from athanor.local.apiserver.schema import cel, fields
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.check import compile_check
from athanor.local.apiserver.schema.patterns import BadPattern, matcher
from athanor.wire.status import Cause

TYPES = ("array", "boolean", "integer", "number", "object", "string")
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_WORDS = "must be one of " + ",".join(COLUMN_TYPES)
_STRUCTURAL = "must be empty to be structural"
_NOT_IN_JUNCTORS = ("type", "default", "nullable", "additionalProperties", "description", "title")
_JUNCTORS = ("allOf", "anyOf", "oneOf")


_WARNING_LIMIT = 256


def check(crd: JSON) -> list[Cause]:
    """What is wrong with a definition."""
    spec = _dict(crd.get("spec"))
    causes = list(_names(crd, spec))
    versions = [_dict(v) for v in _list(spec.get("versions"))]
    stored = [v for v in versions if v.get("storage") is True]
    if len(stored) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(errors.wrong("spec.versions", spec.get("versions") or [], detail))
    called = [v.get("name") for v in versions]
    if len(set(map(str, called))) < len(called):
        detail = "must contain unique version names"
        causes.append(errors.wrong("spec.versions", spec.get("versions") or [], detail))
    for index, version in enumerate(versions):
        causes += _deprecation(version, f"spec.versions[{index}].deprecationWarning")
        causes += _version(version, f"spec.versions[{index}]", single=len(versions) == 1)
    if len(versions) == 1 and versions[0].get("name"):
        causes += _name("spec.version", versions[0]["name"])
    conversion = _dict(spec.get("conversion"))
    if conversion.get("strategy") == "Webhook" and conversion.get("webhook"):
        detail = "conversion webhooks are not served here: use None, which changes the apiVersion"
        causes.append(errors.not_allowed("spec.conversion.webhook", detail))
    elif (strategy := conversion.get("strategy") or "None") not in ("None", "Webhook"):
        causes.append(errors.unsupported("spec.conversion.strategy", strategy, ["None", "Webhook"]))
    elif conversion.get("strategy") == "Webhook":
        field = "spec.conversion.webhookClientConfig"
        causes.append(errors.required(field, "required when strategy is set to Webhook"))
        causes.append(errors.required("spec.conversion.conversionReviewVersions"))
    if spec.get("preserveUnknownFields") is True:
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        causes.append(errors.wrong("spec.preserveUnknownFields", True, detail))
    return causes


def _deprecation(version: JSON, field: str) -> Iterator[Cause]:
    said = version.get("deprecationWarning")
    if not isinstance(said, str):
        return
    if not version.get("deprecated"):
        yield errors.wrong(field, said, "can only be set for deprecated versions")
    if len(said) > _WARNING_LIMIT:
        yield errors.wrong(field, said, f"must be <= {_WARNING_LIMIT} characters long")


def check_update(new: JSON, old: JSON) -> list[Cause]:
    """What an established definition may not change."""
    causes = []
    spec, was = _dict(new.get("spec")), _dict(old.get("spec"))
    pairs = [
        ("spec.group", spec.get("group"), was.get("group")),
        ("spec.scope", spec.get("scope"), was.get("scope")),
        *(
            (f"spec.names.{n}", _dict(spec.get("names")).get(n), _dict(was.get("names")).get(n))
            for n in ("kind", "plural")
        ),
    ]
    for field, value, before in pairs:
        if value != before:
            causes.append(errors.wrong(field, value, "field is immutable"))
    known = [_dict(v).get("name") for v in _list(spec.get("versions"))]
    for index, stored in enumerate(_list(_dict(old.get("status")).get("storedVersions"))):
        if stored not in known:
            detail = (
                f"missing from spec.versions; {stored} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {stored} and removes {stored} from status.storedVersions"
            )
            causes.append(errors.wrong(f"status.storedVersions[{index}]", stored, detail))
    return causes


def _names(crd: JSON, spec: JSON) -> Iterator[Cause]:
    called = _dict(spec.get("names"))
    group, plural = spec.get("group"), called.get("plural")
    name = _dict(crd.get("metadata")).get("name", "")
    if name != f"{plural or ''}.{group or ''}":
        detail = 'must be spec.names.plural+"."+spec.group'
        yield errors.wrong("metadata.name", name, detail)
    if not group:
        yield errors.required("spec.group")
    elif isinstance(group, str) and "." not in group:
        yield errors.wrong("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope")
    if not scope:
        yield errors.required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield errors.unsupported("spec.scope", scope, ["Cluster", "Namespaced"])
    for key in ("plural", "singular", "kind", "listKind"):
        yield from _name(f"spec.names.{key}", called.get(key), mixed=key.lower().endswith("kind"))
    for key in ("shortNames", "categories"):
        for index, word in enumerate(_list(called.get(key))):
            yield from _name(f"spec.names.{key}[{index}]", word)


def _name(field: str, value: Value, *, mixed: bool = False) -> Iterator[Cause]:
    if not value:
        yield errors.required(field)
    elif isinstance(value, str):
        problems = names.label_1035(value.lower() if mixed else value)
        head = "may have mixed case, but should otherwise match: " if mixed else ""
        for problem in problems:
            yield errors.wrong(field, value, head + problem)


def _version(version: JSON, field: str, *, single: bool) -> Iterator[Cause]:
    yield from _name(f"{field}.name", version.get("name"))
    schema = _dict(version.get("schema")).get("openAPIV3Schema")
    top = "spec" if single else field
    if schema is None:
        yield errors.required(f"{field}.schema.openAPIV3Schema")
        schema = {}
    elif isinstance(schema, dict):
        where = "spec.validation" if single else f"{field}.schema"
        yield from _root(schema, f"{where}.openAPIV3Schema")
    for index, column in enumerate(_list(version.get("additionalPrinterColumns"))):
        yield from _column(_dict(column), f"{top}.additionalPrinterColumns[{index}]")
    scale = _dict(version.get("subresources")).get("scale")
    if isinstance(scale, dict):
        yield from _scale(scale, f"{top}.subresources.scale")
    for index, selectable in enumerate(_list(version.get("selectableFields"))):
        path = _dict(selectable).get("jsonPath", "")
        if not _reaches_scalar(schema, path):
            detail = "is an invalid path: does not refer to a valid field"
            yield errors.wrong(f"{top}.selectableFields[{index}].jsonPath", path, detail)


def _column(column: JSON, field: str) -> Iterator[Cause]:
    if not column.get("name"):
        yield errors.required(f"{field}.name")
    kind, path = column.get("type"), column.get("jsonPath")
    if not kind:
        yield errors.required(f"{field}.type", _COLUMN_WORDS)
    elif kind not in COLUMN_TYPES:
        yield errors.wrong(f"{field}.type", kind, _COLUMN_WORDS)
    if not path:
        yield errors.required(f"{field}.JSONPath")
    elif not str(path).startswith("."):
        yield errors.wrong(f"{field}.JSONPath", path, "must be a simple json path starting with .")


def _scale(scale: JSON, field: str) -> Iterator[Cause]:
    wanted = (("specReplicasPath", ".spec", True), ("statusReplicasPath", ".status", True),
              ("labelSelectorPath", ".status", False))  # fmt: skip
    for key, under, needed in wanted:
        path = scale.get(key)
        if not path:
            if needed:
                yield errors.required(f"{field}.{key}")
        elif not str(path).startswith(f"{under}."):
            also = " or .spec" if key == "labelSelectorPath" else ""
            if also and str(path).startswith(".spec."):
                continue
            yield errors.wrong(f"{field}.{key}", path, f"should be a json path under {under}{also}")


def _reaches_scalar(schema: Value, path: Value) -> bool:
    if not isinstance(path, str) or not path.startswith("."):
        return False
    for part in path[1:].split("."):
        schema = _dict(_dict(schema).get("properties")).get(part)
        if schema is None:
            return False
    return _dict(schema).get("type") in ("string", "boolean", "integer")


# --- structural schemas -----------------------------------------------------------------------


def _root(schema: JSON, field: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if not kind:
        yield errors.required(f"{field}.type", "must not be empty at the root")
    elif kind != "object":
        yield errors.wrong(f"{field}.type", kind, "must be object at the root")
    metadata = _dict(_dict(schema.get("properties")).get("metadata"))
    if set(_dict(metadata.get("properties"))) - {"name", "generateName"}:
        yield errors.not_allowed(
            f"{field}.properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified",
        )
    yield from _schema(schema, field)


_WORDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        (
            "maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties",
        ),
        (int,),
    ),
    **dict.fromkeys(("maximum", "minimum", "multipleOf"), (int, float)),
    **dict.fromkeys(
        ("type", "format", "pattern", "description", "title", "x-kubernetes-list-type",
         "x-kubernetes-map-type"),
        (str,),
    ),
    **dict.fromkeys(
        ("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum",
         "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string",
         "x-kubernetes-embedded-resource"),
        (bool,),
    ),
    **dict.fromkeys(
        ("enum", "required", "x-kubernetes-list-map-keys", "x-kubernetes-validations", "allOf",
         "anyOf", "oneOf"),
        (list,),
    ),
    **dict.fromkeys(("properties", "not"), (dict,)),
    "items": (dict, list),
    "additionalProperties": (dict, bool),
}  # fmt: skip


def _mistyped(schema: JSON, field: str) -> None:
    """Raises BadRequest, as a decoder would, for a word of the schema with a wrong value."""
    for word, types in _WORDS.items():
        value = schema.get(word)
        items = value if word in ("required", "x-kubernetes-list-map-keys") else ()
        wrong_item = isinstance(items, list) and not all(isinstance(i, str) for i in items)
        if value is not None and (type(value) not in types or wrong_item):
            raise errors.bad(
                'CustomResourceDefinition in version "v1" cannot be handled as a '
                f"CustomResourceDefinition: {field}.{word}: cannot be {errors.shown(value)}"
            )
    subs = schema.get("properties") or {}
    if bad := next((name for name, sub in subs.items() if not isinstance(sub, dict)), ""):
        raise errors.bad(
            'CustomResourceDefinition in version "v1" cannot be handled as a '
            f"CustomResourceDefinition: {field}.properties[{bad}]: must be an object"
        )


def _schema(schema: JSON, field: str) -> Iterator[Cause]:
    _mistyped(schema, field)
    yield from _kind(schema, field)
    yield from _forbidden(schema, field)
    yield from _lists(schema, field)
    yield from _values(schema, field)
    yield from _rules(schema, field)
    for junctor in _JUNCTORS:
        for index, part in enumerate(_list(schema.get(junctor))):
            yield from _junctor(_dict(part), f"{field}.{junctor}[{index}]", schema)
    if isinstance(schema.get("not"), dict):
        yield from _junctor(schema["not"], f"{field}.not", schema)
    for name, sub in _dict(schema.get("properties")).items():
        where = f"{field}.properties[{name}]"
        if isinstance(sub, dict):
            yield from _typed(sub, where, "must not be empty for specified object fields")
            yield from _schema(sub, where)
    items, others = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        yield from _typed(items, f"{field}.items", "must not be empty for specified array items")
        yield from _schema(items, f"{field}.items")
    if isinstance(others, dict):
        where = f"{field}.additionalProperties"
        yield from _typed(others, where, "must not be empty for specified object fields")
        yield from _schema(others, where)


def _typed(schema: JSON, field: str, detail: str) -> Iterator[Cause]:
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if not schema.get("type") and not free:
        yield errors.required(f"{field}.type", detail)


def _kind(schema: JSON, field: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if kind and kind not in TYPES:
        yield errors.unsupported(f"{field}.type", kind, TYPES)
    if schema.get("x-kubernetes-int-or-string") and kind:
        detail = "must be empty if x-kubernetes-int-or-string is true"
        yield errors.wrong(f"{field}.type", kind, detail)
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield errors.wrong(f"{field}.type", kind or "", detail)
    if kind == "array" and not schema.get("items"):
        yield errors.required(f"{field}.items", "must be specified")


def _forbidden(schema: JSON, field: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        word = f"{field}.x-kubernetes-preserve-unknown-fields"
        yield errors.wrong(word, False, "must be true or undefined")
    mapped = schema.get("x-kubernetes-map-type")
    if mapped is not None and schema.get("type") != "object":
        detail = "must be object if x-kubernetes-map-type is specified"
        yield errors.wrong(f"{field}.type", schema.get("type", ""), detail)
    if mapped not in (None, "granular", "atomic"):
        word = f"{field}.x-kubernetes-map-type"
        yield errors.unsupported(word, mapped, ["granular", "atomic"])
    if schema.get("$ref"):
        yield errors.not_allowed(f"{field}.$ref", "$ref is not supported")
    if schema.get("uniqueItems") is True:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield errors.not_allowed(f"{field}.uniqueItems", detail)
    if schema.get("additionalProperties") and schema.get("properties"):
        detail = "additionalProperties and properties are mutual exclusive"
        yield errors.not_allowed(f"{field}.additionalProperties", detail)
    if isinstance(schema.get("items"), list):
        detail = "items must be a schema object and not an array"
        yield errors.not_allowed(f"{field}.items", detail)
    for word in ("definitions", "dependencies", "patternProperties", "additionalItems"):
        if schema.get(word):
            yield errors.not_allowed(f"{field}.{word}", f"{word} is not supported")


def _junctor(part: JSON, field: str, outer: JSON) -> Iterator[Cause]:
    own = outer.get("x-kubernetes-int-or-string") and set(part) == {"type"}
    for word in () if own else _NOT_IN_JUNCTORS:
        if part.get(word):
            yield errors.not_allowed(f"{field}.{word}", _STRUCTURAL)
    yield from _pattern(part, field)
    known = _dict(outer.get("properties"))
    for name, sub in _dict(part.get("properties")).items():
        where = f"{field}.properties[{name}]"
        if name not in known and not isinstance(outer.get("additionalProperties"), dict):
            at = where.replace(f".{field.rpartition('.')[2]}", "", 1)
            yield errors.required(at, f"because it is defined in {where}")
        if isinstance(sub, dict):
            yield from _junctor(sub, where, _dict(known.get(name)))
    for junctor in _JUNCTORS:
        for index, deeper in enumerate(_list(part.get(junctor))):
            yield from _junctor(_dict(deeper), f"{field}.{junctor}[{index}]", outer)


def _lists(schema: JSON, field: str) -> Iterator[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind is None:
        return
    if kind not in ("atomic", "set", "map"):
        at = f"{field}.x-kubernetes-list-type"
        yield errors.unsupported(at, kind, ["atomic", "map", "set"])
    if schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        yield errors.wrong(f"{field}.type", schema.get("type", ""), detail)
    items = _dict(schema.get("items"))
    keys = _list(schema.get("x-kubernetes-list-map-keys"))
    if kind == "map":
        if not keys:
            at, detail = "x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type"
            yield errors.required(f"{field}.{at}", f"{detail} is map")
        if not items:
            detail = "must have a schema if x-kubernetes-list-type is map"
            yield errors.required(f"{field}.items", detail)
        yield from _keys(items, keys, f"{field}.items")
    if kind == "set" and items.get("type") in ("object", "array"):
        word = "map" if items["type"] == "object" else "list"
        if items.get(f"x-kubernetes-{word}-type") != "atomic":
            at = f"{field}.items.x-kubernetes-{word}-type"
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            yield errors.wrong(at, items.get(f"x-kubernetes-{word}-type"), detail)


def _keys(items: JSON, keys: Sequence[Value], field: str) -> Iterator[Cause]:
    properties, needed = _dict(items.get("properties")), _list(items.get("required"))
    for key in keys:
        sub = properties.get(key)
        if sub is None:
            detail = "entries must all be names of item properties"
            at = field.removesuffix(".items") + ".x-kubernetes-list-map-keys"
            yield errors.wrong(at, key, detail)
        elif "default" not in _dict(sub) and key not in needed:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be "
                "a required property"
            )
            yield errors.required(f"{field}.properties[{key}].default", detail)


def _pattern(schema: JSON, field: str) -> Iterator[Cause]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern:
        try:
            matcher(pattern)
        except BadPattern as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield errors.wrong(f"{field}.pattern", pattern, detail)


def _values(schema: JSON, field: str) -> Iterator[Cause]:
    bad = list(_pattern(schema, field))
    yield from bad
    default = schema.get("default")
    if default is None or bad:
        return
    try:
        run = compile_check(schema)
    except (ValueError, TypeError, AttributeError, KeyError):
        return  # the schema itself is wrong, and somebody else says so
    found: list[Cause] = []
    if run is not None:
        run(default, "", "", found)
    for cause in found:
        yield Cause(reason=cause.reason, message=cause.message, field=f"{field}.default")


def _rules(schema: JSON, field: str) -> Iterator[Cause]:
    for index, rule in enumerate(_list(schema.get("x-kubernetes-validations"))):
        if not isinstance(rule, dict):
            continue
        at = f"{field}.x-kubernetes-validations[{index}]"
        text, says = rule.get("rule"), rule.get("messageExpression")
        if not isinstance(text, str) or not text.strip():
            yield errors.required(f"{at}.rule", "rule is not specified")
        elif said := cel.problem(text) or fields.problem(schema, text):
            yield _not_compiled(f"{at}.rule", rule, said)
        if isinstance(says, str) and says and (said := cel.problem(says)):
            yield _not_compiled(f"{at}.messageExpression", rule, said)
        message = rule.get("message")
        if isinstance(message, str) and "\n" in message:
            yield errors.wrong(f"{at}.message", message, "message must not contain line breaks")


def _not_compiled(field: str, rule: JSON, said: str) -> Cause:
    shown = msgspec.json.encode(_shown(rule)).decode()
    message = f"Invalid value: {shown}: {said}"
    return Cause(reason="FieldValueInvalid", message=message, field=field)


def _shown(rule: JSON) -> JSON:
    return {
        "Rule": rule.get("rule", ""),
        "Message": rule.get("message", ""),
        "MessageExpression": rule.get("messageExpression", ""),
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath", ""),
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }


def _dict(value: Value) -> JSON:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
