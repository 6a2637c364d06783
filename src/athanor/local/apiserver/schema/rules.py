"""CEL rules of a schema: which values each sees, and what a broken one says.

`self` shows only what the schema declares, with names escaped as CEL needs, numbers as doubles
where the schema says number, times as timestamps. Rules that mention `oldSelf` run on updates,
where the old value can be told; lists are followed only when they are maps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from athanor.api.meta import JSON
from athanor.kit.times import parse_rfc3339
from athanor.local.apiserver.errors import shown
from athanor.local.apiserver.schema.causes import Value
from athanor.local.apiserver.schema.cel import EvaluationError, Expression
from athanor.wire.status import Cause

Run = Callable[[Value, Value, str, str, list[Cause]], None]
"""(value, old value or None, path of the parent, own name, causes)."""

_RESERVED = frozenset(
    (
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for",
        "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
        "void", "while",
    )
)  # fmt: skip
_ABSENT = re.compile(r"^\s*!has\(self\.([A-Za-z_][A-Za-z0-9_]*)\)\s*\|\|(?!.*\?)")

_GUARD = re.compile(
    r"!\(has\(oldSelf\.([a-z]\w*)\) && has\(oldSelf\.\1\.([a-z]\w*)\) && oldSelf\.\1\.\2 in "
    r"\[('[^']*'(?:, '[^']*')*)\]\) \|\|([^\\]*)"
)
"""`!(has(oldSelf.a) && has(oldSelf.a.b) && oldSelf.a.b in ['x', 'y']) || …`: what b may be."""
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"")

_HEADS = {"FieldValueForbidden": "Forbidden: ", "FieldValueRequired": "Required value: "}


class Rule:
    """One rule of `x-kubernetes-validations`. Raises BadExpression when it does not compile."""

    def __init__(self, source: JSON) -> None:
        self.source = source
        self.text = " ".join(str(source.get("rule", "")).split())
        self.expression = Expression(source["rule"])
        self.uses_old = self.expression.uses_old
        self.optional_old = bool(source.get("optionalOldSelf"))
        said = source.get("messageExpression")
        self._says = Expression(said) if said else None
        absent = _ABSENT.match(source["rule"])
        self._absent = absent.group(1) if absent else ""
        self._guard = _guarded(self.text)
        self.is_common = not (self._absent or self._guard or self.optional_old)
        """Whether it is due whenever its like are: evaluated together with them."""

    def is_silent(self, value: Value, old: Value) -> bool:
        """Whether the rule begins with `!has(self.x) ||` and there is no x, or with a guard on the
        old value that is not met: it holds, without a look at the rest.
        """
        if self._absent:
            return type(value) is dict and self._absent not in value
        if self._guard is None or type(old) is not dict:
            return False
        outer, inner, words = self._guard
        part = old.get(outer)
        return part is None or (type(part) is dict and part.get(inner) not in words)

    def check(self, variables: JSON, value: Value, field: str) -> Cause | None:
        """The cause when the rule does not hold for these variables."""
        try:
            if self.expression.evaluate(variables) is True:
                return None
        except EvaluationError as error:
            said = f'Invalid value: "{_kind(value)}": {error} evaluating rule: '
            return Cause(
                reason="FieldValueInvalid", message=said + self._message(None), field=field
            )
        reason = self.source.get("reason") or "FieldValueInvalid"
        path = field + self.source.get("fieldPath", "")
        path = path.removeprefix(".") if not field else path
        if reason == "FieldValueDuplicate":
            return Cause(reason=reason, message=f"Duplicate value: {shown(value)}", field=path)
        # of a whole object or list Kubernetes prints nothing
        plain = "" if isinstance(value, dict | list) else f"{shown(value)}: "
        head = _HEADS.get(reason, f"Invalid value: {plain}")
        return Cause(reason=reason, message=head + self._message(variables), field=path)

    def _message(self, variables: JSON | None) -> str:
        if self._says is not None and variables is not None:
            try:
                said = self._says.evaluate(variables)
            except EvaluationError:
                said = None
            if isinstance(said, str) and said.strip() and "\n" not in said:
                return said.strip()
        message = self.source.get("message")
        return str(message) if message else f"failed rule: {self.text}"


def _guarded(text: str) -> tuple[str, str, frozenset[str]] | None:
    """The guard that a rule begins with; None when there is none, or it binds less than the rest.

    Of the rest only a conditional binds less, when it is not in parentheses.
    """
    found = _GUARD.fullmatch(text)
    if found is None:
        return None
    depth = 0
    for sign in _TEXTS.sub("", found[4]):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "?" and not depth:
            return None
    return found[1], found[2], frozenset(re.findall(r"'([^']*)'", found[3]))


def compile_rules(schema: JSON) -> Run | None:
    """The function that checks all rules in a schema, or None when there are none."""
    rules = [Rule(source) for source in schema.get("x-kubernetes-validations") or ()]
    below = _below(schema)
    if not rules and below is None:
        return None
    show = projection(schema)
    together = tuple(
        _together([rule for rule in rules if rule.is_common and rule.uses_old is old])
        for old in (False, True)
    )

    def run(value: Value, old: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if value is None or (old is not None and value == old and not rules):
            return
        if rules:
            _check(rules, together, value, old, (show, parent + name), causes)
        if below is not None:
            below(value, old, parent, name, causes)

    return run


def _together(alike: Sequence[Rule]) -> Expression | None:
    """Rules that are due at the same times as one expression: handing values over is what costs."""
    if len(alike) < 2:
        return None
    return Expression(" && ".join(f"({rule.source['rule']})" for rule in alike))


def _check(
    rules: Sequence[Rule],
    together: Sequence[Expression | None],
    value: Value,
    old: Value,
    how: tuple[Callable[[Value], Value] | None, str],
    causes: list[Cause],
) -> None:
    show, field = how
    field = field.removeprefix(".")
    unchanged = old is not None and value == old
    due = [
        rule
        for rule in rules
        if not rule.is_silent(value, old)
        and (old is not None or rule.optional_old if rule.uses_old else not unchanged)
    ]
    if not due:
        return
    variables = {"self": show(value) if show else value}
    if any(rule.uses_old for rule in due):
        variables["oldSelf"] = show(old) if show and old is not None else old
    for expression in together:
        if expression is not None and _all_hold(expression, due, variables):
            due = [
                rule
                for rule in due
                if not rule.is_common or rule.uses_old is not expression.uses_old
            ]
    for rule in due:
        seen = variables if rule.uses_old else {"self": variables["self"]}
        cause = rule.check(seen, value, field)
        if cause is not None:
            causes.append(cause)


def _all_hold(expression: Expression, due: Sequence[Rule], variables: JSON) -> bool:
    """Whether those of its rules that are due hold; if not, each is asked for its own answer."""
    if not any(rule.is_common and rule.uses_old is expression.uses_old for rule in due):
        return False
    try:
        return expression.evaluate(variables) is True
    except EvaluationError:
        return False


def _below(schema: JSON) -> Run | None:
    if items := schema.get("items"):
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        is_map = schema.get("x-kubernetes-list-type") == "map"
        return _in_items(compile_rules(items), tuple(keys) if is_map else None)
    properties: JSON = schema.get("properties") or {}
    deep = [(n, f".{n}", compile_rules(s)) for n, s in properties.items()]
    found = [(n, suffix, run) for n, suffix, run in deep if run is not None]
    if found:
        return _in_properties(found)
    additional = schema.get("additionalProperties")
    return _in_values(compile_rules(additional)) if isinstance(additional, dict) else None


def _in_properties(found: list[tuple[str, str, Run]]) -> Run:
    def properties(value: Value, old: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) is not dict:
            return
        was = old if type(old) is dict else {}
        for key, suffix, run in found:
            if key in value:
                run(value[key], was.get(key), parent + name, suffix, causes)

    return properties


def _in_values(run: Run | None) -> Run | None:
    if run is None:
        return None

    def values(value: Value, old: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) is dict:
            was = old if type(old) is dict else {}
            for key, one in value.items():
                run(one, was.get(key), parent + name, f".{key}", causes)

    return values


def _in_items(run: Run | None, keys: tuple[str, ...] | None) -> Run | None:
    if run is None:
        return None

    def items(value: Value, old: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) is not list:
            return
        was = {}
        if keys is not None and type(old) is list:
            was = {tuple(one.get(k) for k in keys): one for one in old if type(one) is dict}
        for index, one in enumerate(value):
            before = was.get(tuple(one.get(k) for k in keys or ())) if type(one) is dict else None
            run(one, before, parent + name, f"[{index}]", causes)

    return items


# --- what `self` shows ------------------------------------------------------------------------


def escaped(name: str) -> str:
    """A property's name as an expression writes it: `self.x__dash__y`, `self.__namespace__`."""
    if name in _RESERVED:
        return f"__{name}__"
    for sign, word in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"),
                       ("/", "__slash__")):  # fmt: skip
        name = name.replace(sign, word)
    return name


def projection(schema: JSON) -> Callable[[Value], Value] | None:
    """How a value of this schema looks to CEL, or None when it looks as it is."""
    if schema.get("type") == "number":
        return _number
    if schema.get("type") == "string":
        return {"date-time": _timestamp}.get(schema.get("format", ""))
    if items := schema.get("items"):
        return _each(projection(items))
    additional = schema.get("additionalProperties")
    properties: JSON = schema.get("properties") or {}
    if isinstance(additional, dict) and not properties:
        return _every(projection(additional))
    if schema.get("type") != "object":
        return None
    shown_as = {name: (escaped(name), projection(sub)) for name, sub in properties.items()}
    if schema.get("x-kubernetes-embedded-resource"):
        shown_as |= {name: (name, None) for name in ("apiVersion", "kind", "metadata")}
    plain = all(name == n and sub is None for n, (name, sub) in shown_as.items())
    closed = not schema.get("x-kubernetes-preserve-unknown-fields")
    if plain and closed and properties:
        return None

    def select(value: Value) -> Value:
        if type(value) is not dict:
            return value
        return {
            name: sub(value[key]) if sub else value[key]
            for key, (name, sub) in shown_as.items()
            if key in value
        }

    return select


def _each(item: Callable[[Value], Value] | None) -> Callable[[Value], Value] | None:
    if item is None:
        return None
    return lambda value: [item(one) for one in value] if type(value) is list else value


def _every(item: Callable[[Value], Value] | None) -> Callable[[Value], Value] | None:
    if item is None:
        return None
    return lambda value: {k: item(v) for k, v in value.items()} if type(value) is dict else value


def _number(value: Value) -> Value:
    return float(value) if type(value) is int else value


def _timestamp(value: Value) -> Value:
    try:
        return datetime.fromtimestamp(parse_rfc3339(value), UTC)
    except (ValueError, TypeError):
        return value


def _kind(value: Value) -> str:
    return {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}.get(
        type(value), "number"
    )
