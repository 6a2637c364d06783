"""What a CustomResourceDefinition may say: names, versions, a structural schema, columns, paths.

Wording and paths are those of Kubernetes' apiextensions; each was asked of a real server. Values of
a wrong type are the built-in schema's business; here they are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from athanor.api.meta import JSON
from athanor.local.apiserver import crd_schemas, errors, names
from athanor.local.apiserver.schema.causes import Value
from athanor.wire.status import Cause

COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_WORDS = "must be one of " + ",".join(COLUMN_TYPES)
_COLUMN_FORMATS = (
    "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_DOTTED = "must be a simple json path starting with ."
_SCALAR = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with "
    "formats are allowed."
)
_APPROVED = "api-approved.kubernetes.io"
_APPROVAL = (
    f'protected groups must have approval annotation "{_APPROVED}", see '
    "https://github.com/kubernetes/enhancements/pull/1111"
)
_NO_APPROVAL = _APPROVAL.replace(
    ", see", ' with either a URL or a reason starting with "unapproved", see'
)
_WARNING_LIMIT = 256


def check(crd: JSON) -> list[Cause]:
    """What is wrong with a definition."""
    spec = _dict(crd.get("spec"))
    causes = list(_where(spec))
    versions = [_dict(v) for v in _list(spec.get("versions"))]
    for index, version in enumerate(versions):
        causes += _version_name(version, f"spec.versions[{index}].name")
        causes += _deprecation(version, f"spec.versions[{index}].deprecationWarning")
    called = [v.get("name") for v in versions]
    if len(set(map(str, called))) < len(called):
        detail = "must contain unique version names"
        causes.append(errors.wrong("spec.versions", spec.get("versions"), detail))
    stored = [v for v in versions if v.get("storage") is True]
    if len(stored) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(errors.wrong("spec.versions", spec.get("versions"), detail))
    if len(versions) == 1 and versions[0].get("name"):
        causes += _name("spec.version", versions[0]["name"])
    causes += _names(spec)
    for index, version in enumerate(versions):
        causes += _version(version, f"spec.versions[{index}]", single=len(versions) == 1)
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
    else:
        webhook = _dict(conversion.get("webhook"))
        detail = "should not be set when strategy is not set to Webhook"
        for inner, shown in _ONLY_WEBHOOKS:
            if webhook.get(inner):
                causes.append(errors.not_allowed(f"spec.conversion.{shown}", detail))
    if spec.get("preserveUnknownFields") is True:
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        causes.append(errors.wrong("spec.preserveUnknownFields", True, detail))
    return causes


_ONLY_WEBHOOKS = (
    ("clientConfig", "webhookClientConfig"),
    ("conversionReviewVersions", "conversionReviewVersions"),
)


def check_new(crd: JSON) -> list[Cause]:
    """What is wrong with a new definition: with its name and group, too."""
    spec, meta, causes = _dict(crd.get("spec")), _dict(crd.get("metadata")), list[Cause]()
    name, group = meta.get("name", ""), spec.get("group") or ""
    if name != f"{_dict(spec.get('names')).get('plural') or ''}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        causes.append(errors.wrong("metadata.name", name, detail))
    causes += check(crd)
    causes += _stored(crd)
    return causes + list(_approval(group, _dict(meta.get("annotations"))))


def _stored(crd: JSON) -> Iterator[Cause]:
    stored = _list(_dict(crd.get("status")).get("storedVersions"))
    if not stored:
        yield errors.wrong("status.storedVersions", None, "must have at least one stored version")
        return
    for version in _list(_dict(crd.get("spec")).get("versions")):
        name = _dict(version).get("name")
        if _dict(version).get("storage") and name not in stored:
            detail = f"must have the storage version {name}"
            yield errors.wrong("status.storedVersions", version, detail)


def _approval(group: str, notes: JSON) -> Iterator[Cause]:
    if not f".{group}".endswith((".k8s.io", ".kubernetes.io")):
        return
    field, said = f"metadata.annotations[{_APPROVED}]", notes.get(_APPROVED)
    if not said:
        yield errors.required(field, _APPROVAL)
    elif not str(said).startswith("unapproved") and not (
        (parts := urlsplit(str(said))).scheme and parts.netloc
    ):
        yield errors.wrong(field, said, _NO_APPROVAL)


def _version_name(version: JSON, field: str) -> Iterator[Cause]:
    name = version.get("name") or ""
    if isinstance(name, str) and (problems := names.label_1035(name)):
        yield errors.wrong(field, name, ",".join(problems))


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


def _where(spec: JSON) -> Iterator[Cause]:
    group = spec.get("group")
    if not group:
        yield errors.required("spec.group")
    elif isinstance(group, str) and "." not in group:
        yield errors.wrong("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope")
    if not scope:
        yield errors.required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield errors.unsupported("spec.scope", scope, ["Cluster", "Namespaced"])


def _names(spec: JSON) -> Iterator[Cause]:
    called = _dict(spec.get("names"))
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
    schema = _dict(version.get("schema")).get("openAPIV3Schema")
    top = "spec" if single else field
    if schema is None:
        yield errors.required(f"{field}.schema.openAPIV3Schema")
        schema = {}
    elif isinstance(schema, dict):
        where = "spec.validation" if single else f"{field}.schema"
        yield from crd_schemas.check(schema, f"{where}.openAPIV3Schema")
    for index, column in enumerate(_list(version.get("additionalPrinterColumns"))):
        yield from _column(_dict(column), f"{top}.additionalPrinterColumns[{index}]")
    scale = _dict(version.get("subresources")).get("scale")
    if isinstance(scale, dict):
        yield from _scale(scale, f"{top}.subresources.scale")
    seen = set[Value]()
    for index, selectable in enumerate(_list(version.get("selectableFields"))):
        path, at = _dict(selectable).get("jsonPath"), f"{top}.selectableFields[{index}].jsonPath"
        if not path:
            yield errors.required(at)
            continue
        if (found := _reached(schema, path)) is None:
            yield errors.wrong(at, path, "is an invalid path: does not refer to a valid field")
            continue
        if found.get("type") not in ("string", "boolean", "integer"):
            yield errors.wrong(at, path, _SCALAR)
        if path in seen:
            yield errors.duplicate(at, path)
        seen.add(path)


def _column(column: JSON, field: str) -> Iterator[Cause]:
    if not column.get("name"):
        yield errors.required(f"{field}.name")
    kind, path = column.get("type"), column.get("jsonPath")
    if not kind:
        yield errors.required(f"{field}.type", _COLUMN_WORDS)
    elif kind not in COLUMN_TYPES:
        yield errors.wrong(f"{field}.type", kind, _COLUMN_WORDS)
    if (form := column.get("format")) and form not in _COLUMN_FORMATS:
        detail = "must be one of " + ",".join(_COLUMN_FORMATS)
        yield errors.wrong(f"{field}.format", form, detail)
    if not path:
        yield errors.required(f"{field}.JSONPath")
    elif not str(path).startswith("."):
        yield errors.wrong(f"{field}.JSONPath", path, _DOTTED)


def _scale(scale: JSON, field: str) -> Iterator[Cause]:
    wanted = (("specReplicasPath", ".spec", True), ("statusReplicasPath", ".status", True),
              ("labelSelectorPath", ".status", False))  # fmt: skip
    for key, under, needed in wanted:
        path = scale.get(key)
        if not path:
            if needed:
                yield errors.required(f"{field}.{key}")
        elif not str(path).startswith("."):
            yield errors.wrong(f"{field}.{key}", path, _DOTTED)
        elif key == "labelSelectorPath":
            if not str(path).startswith((".spec.", ".status.")):
                detail = "should be a json path under either .spec or .status"
                yield errors.wrong(f"{field}.{key}", path, detail)
        elif not str(path).startswith(f"{under}."):
            yield errors.wrong(f"{field}.{key}", path, f"should be a json path under {under}")


def _reached(schema: Value, path: Value) -> JSON | None:
    """The schema of the field at a path, if there is one."""
    if not isinstance(path, str) or not path.startswith("."):
        return None
    for part in path[1:].split("."):
        schema = _dict(_dict(schema).get("properties")).get(part)
        if schema is None:
            return None
    return _dict(schema)


def _dict(value: Value) -> JSON:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
