"""What the CEL rules of a CustomResourceDefinition may say, and where they may stand.

Rules are compiled, and fields that a schema does not know are found; nothing is type-checked and
no cost is estimated (docs/reference/refusals.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.schema import cel, fields
from athanor.wire.status import Cause

_REASONS = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip
_LINES = "must not contain line breaks"
_EMPTY = "must be non-empty if specified"


def check(schema: JSON, field: str) -> Iterator[Cause]:
    """The rules of one schema at `field`."""
    rules = schema.get("x-kubernetes-validations")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        at = f"{field}.x-kubernetes-validations[{index}]"
        wrong = list(_words(rule, at)) + list(_place(schema, rule, at))
        yield from wrong or _compiled(schema, rule, at)


def _words(rule: JSON, at: str) -> Iterator[Cause]:
    text, message, says = (_text(rule, n) for n in ("rule", "message", "messageExpression"))
    reason = rule.get("reason")
    if not text.strip():
        yield errors.required(f"{at}.rule", "rule is not specified")
    elif message and not message.strip():
        yield errors.wrong(f"{at}.message", message, _EMPTY)
    elif _breaks(message.strip()):
        yield errors.wrong(f"{at}.message", message, _LINES)
    elif _breaks(text.strip()) and not message.strip():
        detail = "message must be specified if rule contains line breaks"
        yield errors.required(f"{at}.message", detail)
    if says and not says.strip():
        yield errors.required(f"{at}.messageExpression", f"messageExpression {_EMPTY}")
    if reason is not None and reason not in _REASONS:
        yield errors.unsupported(f"{at}.reason", reason, _REASONS)


def _text(rule: JSON, name: str) -> str:
    value = rule.get(name)
    return value if isinstance(value, str) else ""


def _breaks(text: str) -> bool:
    return "\n" in text or "\r" in text


def _place(schema: JSON, rule: JSON, at: str) -> Iterator[Cause]:
    path = _text(rule, "fieldPath")
    if not path:
        return
    if not path.strip():
        yield errors.wrong(f"{at}.fieldPath", path, _EMPTY)
    if _breaks(path):
        yield errors.wrong(f"{at}.fieldPath", path, _LINES)
    if not fields.leads(schema, path):
        yield errors.wrong(f"{at}.fieldPath", path, "must be a valid path")


def _compiled(schema: JSON, rule: JSON, at: str) -> Iterator[Cause]:
    text, says = rule["rule"], _text(rule, "messageExpression")
    root = at.partition(".x-kubernetes")[0].endswith("openAPIV3Schema")
    if said := cel.problem(text) or fields.problem(schema, text, root=root):
        yield _not_compiled(f"{at}.rule", rule, said)
    elif rule.get("optionalOldSelf") is not None and not fields.names_old(text):
        detail = "may not be set if oldSelf is not used in rule"
        yield errors.wrong(f"{at}.optionalOldSelf", rule["optionalOldSelf"], detail)
    if says and (said := cel.problem(says)):
        yield _not_compiled(f"{at}.messageExpression", rule, f"messageExpression {said}")
    elif says and fields.kind_of(schema, says) not in ("", "string"):
        said = "messageExpression must evaluate to a string"
        yield _not_compiled(f"{at}.messageExpression", rule, said)


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
