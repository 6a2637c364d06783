"""Label and field selectors: parse the string and the object form, and match.

Grammar and wording are those of a Kubernetes 1.36 API server. Wrong selectors raise
ApiError(BadRequest). Which fields a resource can be selected by is the last table here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.wire.status import ApiError, Cause

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]

NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', "
    " or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_INTEGER = re.compile(r"[+-]?[0-9]+")


def key_problems(key: str) -> list[str]:
    """What is wrong with a label key (a qualified name), in Kubernetes' words; [] if nothing."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [
            f"a valid label key {NAME_RULE} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash and len(prefix) > 253:
        problems.append("prefix part must be no more than 253 bytes")
    if prefix and not _SUBDOMAIN.fullmatch(prefix):
        problems.append(f"prefix part {SUBDOMAIN_RULE}")
    if not name:
        problems.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME.fullmatch(name):
        problems.append(f"name part {NAME_RULE}")
    return problems


def value_problems(value: str) -> list[str]:
    """What is wrong with a label value, in Kubernetes' words; [] if nothing."""
    problems = []
    if len(value.encode()) > 63:
        problems.append("must be no more than 63 bytes")
    if value and not _NAME.fullmatch(value):
        problems.append(VALUE_RULE)
    return problems


class Requirement(Struct, frozen=True):
    """One condition on the labels of an object."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy it."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "Gt" else int(value) < bound

    def __str__(self) -> str:
        values = sorted(self.values)
        match self.operator:
            case "In":
                return f"{self.key}={values[0]}" if len(values) == 1 else self._set("in")
            case "NotIn":
                return f"{self.key}!={values[0]}" if len(values) == 1 else self._set("notin")
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
        return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{values[0]}"

    def _set(self, word: str) -> str:
        return f"{self.key} {word} ({','.join(sorted(self.values))})"


class LabelSelector(Struct, frozen=True):
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """True when everything is selected."""
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


# --- string form ------------------------------------------------------------------------------

_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+)|\Z)")
_SYMBOLS: Mapping[str, Operator] = {
    "=": "In", "==": "In", "in": "In", "!=": "NotIn", "notin": "NotIn", ">": "Gt", "<": "Lt",
}  # fmt: skip


class _Scanner:
    """The tokens of a label selector, with one token of look-ahead. The end is ''."""

    def __init__(self, text: str) -> None:
        self._tokens = [m.groups() for m in _TOKEN.finditer(text)]
        self._at = 0

    def peek(self) -> tuple[bool, str]:
        """(is it a word?, its text)."""
        symbol, word = self._tokens[self._at] if self._at < len(self._tokens) else (None, None)
        return word is not None, word or symbol or ""

    def take(self) -> tuple[bool, str]:
        """The next token, consumed."""
        token = self.peek()
        self._at += 1
        return token


def parse_labels(text: str | None) -> LabelSelector:
    """The selector of a `labelSelector` parameter; empty or None selects everything."""
    if not text:
        return EVERYTHING
    scanner = _Scanner(text)
    requirements = []
    word, token = scanner.peek()
    if not word and token not in ("!", ""):
        raise _bad(f"found '{token}', expected: !, identifier, or 'end of string'")
    while word or token == "!":
        try:
            requirements.append(_requirement(scanner))
        except _Wrong as wrong:
            raise _bad(f"unable to parse requirement: {wrong}") from None
        _, token = scanner.take()
        if token == "":
            break
        if token != ",":
            raise _bad(f"found '{token}', expected: ',' or 'end of string'")
        word, token = scanner.peek()
        if not word and token != "!":
            raise _bad(f"found '{token}', expected: identifier after ','")
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


class _Wrong(Exception):
    """One requirement cannot be read; the message says why."""


def _bad(message: str) -> ApiError:
    return ApiError("BadRequest", message)


def _requirement(scanner: _Scanner) -> Requirement:
    word, key = scanner.take()
    absent = key == "!" and not word
    if absent:
        word, key = scanner.take()
    if not word:
        raise _Wrong(f"found '{key}', expected: identifier")
    if problems := key_problems(key):
        raise _Wrong(f'<nil>: Invalid value: "{key}": {"; ".join(problems)}')
    if absent:
        return Requirement(key, "DoesNotExist")
    if scanner.peek()[1] in ("", ","):
        return Requirement(key, "Exists")
    _, sign = scanner.take()
    operator = _SYMBOLS.get(sign)
    if operator is None:
        raise _Wrong(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")
    values = _values(scanner) if sign in ("in", "notin") else {_value(scanner)}
    _check_values(key, operator, values)
    return Requirement(key, operator, frozenset(values))


def _value(scanner: _Scanner) -> str:
    if scanner.peek() in ((False, ""), (False, ",")):
        return ""
    word, value = scanner.take()
    if not word:
        raise _Wrong(f"found '{value}', expected: identifier")
    return value


def _values(scanner: _Scanner) -> set[str]:
    word, token = scanner.take()
    if word or token != "(":
        raise _Wrong(f"found '{token}' expected: '('")
    word, token = scanner.peek()
    if not word and token not in (",", ")"):
        raise _Wrong(f"found '{token}', expected: ',', ')' or identifier")
    values = set()
    while True:
        word, token = scanner.peek()
        values.add(token if word else "")
        if word:
            scanner.take()
        elif token not in (",", ")"):
            raise _Wrong(f"found '{token}', expected: ',', or identifier")
        _, token = scanner.take()
        if token == ")":
            return values
        if token != ",":
            raise _Wrong(f"found '{token}', expected: ',' or ')'")


def _check_values(key: str, operator: Operator, values: Iterable[str]) -> None:
    ordered = sorted(values)
    if operator in ("Gt", "Lt") and not _INTEGER.fullmatch(ordered[0]):
        raise _Wrong(
            f"values[0]: Invalid value: \"{ordered[0]}\": for 'Gt', 'Lt' operators, the value "
            "must be an integer"
        )
    wrong = [
        f'values[{i}][{key}]: Invalid value: "{value}": {"; ".join(problems)}'
        for i, value in enumerate(ordered)
        if (problems := value_problems(value))
    ]
    if wrong:
        raise _Wrong(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")


# --- object form ------------------------------------------------------------------------------


def from_object(selector: JSON | None) -> LabelSelector:
    """The selector of a `LabelSelector` object: None selects nothing, {} everything."""
    if selector is None:
        return NOTHING
    if causes := object_causes(selector, "selector"):
        raise ApiError("BadRequest", f"{causes[0].field}: {causes[0].message}", causes=causes)
    requirements = [
        Requirement(key, "In", frozenset((value,)))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    requirements += [
        Requirement(e["key"], e["operator"], frozenset(e.get("values") or ()))
        for e in selector.get("matchExpressions") or []
    ]
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


def object_causes(selector: JSON, path: str) -> list[Cause]:
    """What is wrong with a `LabelSelector` object at `path`, as causes of an Invalid error."""
    causes = []
    for key, value in (selector.get("matchLabels") or {}).items():
        causes += _invalid(f"{path}.matchLabels", key, key_problems(key))
        causes += _invalid(f"{path}.matchLabels", value, value_problems(value))
    for i, expression in enumerate(selector.get("matchExpressions") or []):
        causes += _expression_causes(expression, f"{path}.matchExpressions[{i}]")
    return causes


def _expression_causes(expression: JSON, path: str) -> list[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or []
    causes = []
    if operator in ("In", "NotIn"):
        if not values:
            causes.append(
                Cause(
                    reason="FieldValueRequired",
                    message="Required value: must be specified when `operator` is 'In' or 'NotIn'",
                    field=f"{path}.values",
                )
            )
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            causes.append(
                Cause(
                    reason="FieldValueForbidden",
                    message="Forbidden: may not be specified when `operator` is 'Exists' or "
                    "'DoesNotExist'",
                    field=f"{path}.values",
                )
            )
    else:
        causes += _invalid(f"{path}.operator", operator, ["not a valid selector operator"])
    causes += _invalid(
        f"{path}.key", expression.get("key", ""), key_problems(expression.get("key", ""))
    )
    if operator in ("In", "NotIn"):
        for i, value in enumerate(values):
            causes += _invalid(f"{path}.values[{i}]", value, value_problems(value))
    return causes


def _invalid(path: str, value: str, problems: Sequence[str]) -> list[Cause]:
    return [
        Cause(
            reason="FieldValueInvalid", message=f'Invalid value: "{value}": {problem}', field=path
        )
        for problem in problems
    ]


# --- field selectors --------------------------------------------------------------------------


class FieldTerm(Struct, frozen=True):
    """A field, by its dotted path, has (or has not) this value."""

    path: str
    value: str
    equal: bool = True


class FieldSelector(Struct, frozen=True):
    """All terms must hold; none selects everything."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object whose selectable fields are these is selected; absent is ""."""
        return all((fields.get(t.path, "") == t.value) is t.equal for t in self.terms)

    def matches_object(self, obj: JSON) -> bool:
        """Whether this object, a whole manifest, is selected."""
        return all((field_of(obj, t.path) == t.value) is t.equal for t in self.terms)

    def exactly(self, path: str) -> str | None:
        """The only value the field may have, if the selector says so: `metadata.name=x`."""
        return next((t.value for t in self.terms if t.path == path and t.equal), None)

    def check(self, supported: Sequence[str]) -> None:
        """Raises BadRequest when a field cannot be selected by."""
        for term in self.terms:
            if term.path not in supported:
                raise _bad(f"field label not supported: {term.path}")

    @property
    def empty(self) -> bool:
        """True when everything is selected."""
        return not self.terms


ALL_FIELDS = FieldSelector()


def parse_fields(text: str | None) -> FieldSelector:
    """The selector of a `fieldSelector` parameter: `a=b,c!=d`, with \\\\ \\, \\= as escapes."""
    if not text:
        return ALL_FIELDS
    terms = []
    for part in re.findall(r"(?:\\.|[^,\\])*\\?", text)[:-1]:
        if not part:
            continue
        found = re.match(r"(?s)((?:\\.|[^=!\\]|!(?!=))*?)(!=|==|=)(.*)", part)
        if found is None:
            raise _bad(f"invalid selector: '{text}'; can't understand '{part}'")
        path, sign, value = found.groups()
        terms.append(FieldTerm(path, _unescape(value), sign != "!="))
    return FieldSelector(tuple(terms))


def _unescape(value: str) -> str:
    out = []
    characters = iter(value)
    for character in characters:
        if character == "=":
            raise _bad("invalid field selector: unescaped character in value: 61")
        if character == "\\":
            character = next(characters, "")
            if character not in ("\\", ",", "="):
                raise _bad(f"invalid field selector: invalid escape sequence: \\{character}")
        out.append(character)
    return "".join(out)


def field_of(obj: JSON, path: str) -> str:
    """A selectable field as text: "" when absent, booleans in lower case."""
    if path == "source":  # of an event: the component, in whichever form it was reported
        source = obj.get("source") or obj.get("deprecatedSource") or {}
        by = source.get("component") or obj.get("reportingComponent")
        return str(by or obj.get("reportingController") or "")
    value: Any = obj
    for step in path.split("."):
        if not isinstance(value, dict):
            return ""
        value = value.get(step)
    if value is None:
        return "false" if path in _BOOLEANS else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(item.get("ip", "") for item in value if isinstance(item, dict))
    return str(value)


_BOOLEANS = frozenset(("spec.unschedulable", "spec.hostNetwork"))
_INVOLVED = tuple(
    f"{{}}.{name}"
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
_BY_RESOURCE: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "persistentvolumes": (),
    "events": (
        *(f.format("involvedObject") for f in _INVOLVED), "reason", "reportingComponent", "source",
        "type",
    ),
    "events.events.k8s.io": (
        *(f.format("regarding") for f in _INVOLVED), "reason", "reportingController", "type",
    ),
    "jobs.batch": ("status.successful",),
}  # fmt: skip


def selectable(resource: str, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """The fields a resource (`pods`, `gangs.athanor.dev`) can be selected by.

    `extra`: a CRD's `selectableFields`, without the leading dot.
    """
    return ("metadata.name", "metadata.namespace", *_BY_RESOURCE.get(resource, ()), *extra)
