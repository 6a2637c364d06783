"""Fields that CEL rules mention against the schema: what cannot exist is refused beforehand.

The engine does not check types; this finds the mistakes that people make: a misspelt field after
`self` or `oldSelf`, a field of a scalar, a rule that is no condition.
"""

from __future__ import annotations

import re

from athanor.api.meta import JSON
from athanor.local.apiserver.schema.rules import escaped

_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_PATH = re.compile(r"\b(?:self|oldSelf)((?:\.[A-Za-z_]\w*)+)(\s*\()?")
_IMPLIED: JSON = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}


def problem(schema: JSON, rule: str, *, root: bool = False) -> str:
    """What Kubernetes would say of the first field that cannot be, or nothing.

    `root`: the schema is that of a whole object, which has metadata whatever it says.
    """
    if root:
        schema = {**schema, "properties": {**_IMPLIED, **(schema.get("properties") or {})}}
        schema["properties"]["metadata"] = _IMPLIED["metadata"]
    text = _LITERAL.sub(lambda found: "'" + " " * (len(found.group()) - 2) + "'", rule)
    if (kind := kind_of(schema, text)) and kind != "boolean":
        return "cel expression must evaluate to a bool"
    for found in _PATH.finditer(text):
        parts = found.group(1)[1:].split(".")
        if found.group(2):
            parts.pop()  # a method
        if said := _missing(schema, parts, rule, found.start(1)):
            return said
    return ""


_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def leads(schema: JSON, path: str) -> bool:
    """Whether a rule's `fieldPath` (`.a.b`, `.a['b']`) leads to a field that there is."""
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return False
        properties, others = schema.get("properties"), schema.get("additionalProperties")
        found = properties.get(step[1] or step[2]) if properties else others
        if not isinstance(found, dict):
            return False
        schema, at = found, step.end()
    return True


def names_old(rule: str) -> bool:
    """Whether a rule looks at what was there before."""
    return re.search(r"\boldSelf\b", _LITERAL.sub("''", rule)) is not None


def kind_of(schema: JSON, expression: str) -> str:
    """The type of an expression that is but a path (`self.a.b`); "" when it is not known."""
    words = expression.strip().split(".")
    if words[0] not in ("self", "oldSelf"):
        return ""
    for word in words[1:]:
        sub = (schema.get("properties") or {}).get(word)
        if not isinstance(sub, dict):
            return ""
        schema = sub
    return str(schema.get("type") or "")


def _missing(schema: JSON, parts: list[str], rule: str, start: int) -> str:
    for part in parts:
        kind = schema.get("type")
        if kind in ("string", "integer", "number", "boolean", "array"):
            if schema.get("format") in ("date-time", "date", "duration", "byte"):
                return ""
            word = {"integer": "int", "number": "double", "boolean": "bool", "array": "list"}
            said = f"type '{word.get(kind, kind)}' does not support field selection"
            return _at(rule, start, said)
        properties = schema.get("properties") or {}
        whole = schema.get("x-kubernetes-embedded-resource") or {"spec", "status"} & set(properties)
        known = {escaped(name): sub for name, sub in properties.items()}
        known = {**known, **_IMPLIED} if whole else known
        if kind != "object" or not known or schema.get("additionalProperties"):
            return ""
        if part not in known:
            return _at(rule, start, f"undefined field '{part}'")
        schema = known[part]
        start += len(part) + 1
    return ""


def _at(rule: str, start: int, said: str) -> str:
    return f"compilation failed: ERROR: <input>:1:{start + 1}: {said}\n | {rule}\n | {'.' * start}^"
