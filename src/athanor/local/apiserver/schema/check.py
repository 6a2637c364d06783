"""Values against a schema: types, bounds, patterns, enums, lists that are sets or maps, junctors.

Compiled once per schema into functions `run(value, parent, name, causes)` that append what is
wrong; `parent + name` is the field's path, joined only when somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from athanor.api.meta import JSON
from athanor.kit.patterns import matcher
from athanor.local.apiserver import errors
from athanor.local.apiserver.schema.causes import Value, of_whole, too_many, wrong_text, wrong_type
from athanor.local.apiserver.schema.formats import DECODED, FORMATS
from athanor.wire.status import Cause

Check = Callable[[Value, str, str, list[Cause]], None]

_NAMES = {
    str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array",
    type(None): "null",
}  # fmt: skip
_TYPES: dict[str, frozenset[type]] = {
    "string": frozenset((str,)),
    "integer": frozenset((int,)),
    "number": frozenset((int, float)),
    "boolean": frozenset((bool,)),
    "object": frozenset((dict,)),
    "array": frozenset((list,)),
}
_INT_OR_STRING = "integer,string"
_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def compile_check(schema: JSON, *, is_object: bool = False) -> Check | None:
    """The validator of a schema, or None when every value is valid.

    `is_object`: the value is a whole object, whose metadata is checked elsewhere.
    """
    steps: list[Check] = []
    wanted = _wanted_type(schema)
    steps += _strings(schema)
    steps += _numbers(schema)
    steps += _enum(schema)
    steps += _junctors(schema)
    steps += _arrays(schema)
    steps += _objects(schema, is_object=is_object)
    if wanted is None and not steps:
        return None
    return _typed(schema, wanted, tuple(steps))


def _wanted_type(schema: JSON) -> tuple[str, frozenset[type]] | None:
    if schema.get("x-kubernetes-int-or-string"):
        return _INT_OR_STRING, frozenset((int, str))
    named = schema.get("type")
    return (named, _TYPES[named]) if named in _TYPES else None


def _typed(
    schema: JSON, wanted: tuple[str, frozenset[type]] | None, steps: tuple[Check, ...]
) -> Check:
    nullable = bool(schema.get("nullable"))
    if wanted is None:

        def untyped(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if value is None and nullable:
                return
            for step in steps:
                step(value, parent, name, causes)

        return untyped
    said, types = wanted
    words = tuple(_enum(schema))

    def run(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) not in types:
            if value is None and nullable:
                return
            field = _join(parent, name)
            causes.append(wrong_type(field, _NAMES[type(value)], said))
            for step in words:
                step(value, parent, name, causes)
            if said == "integer" and type(value) is float:
                detail = f"Checked value must be of type integer (default format) in {field}"
                causes.append(of_whole(detail))
                for step in steps:  # a number it is still
                    step(value, parent, name, causes)
            return
        for step in steps:
            step(value, parent, name, causes)

    return run


def _join(parent: str, name: str) -> str:
    return parent + name if parent else name.removeprefix(".")


def _strings(schema: JSON) -> Iterable[Check]:
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if longest is not None or shortest:

        def length(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is not str:
                return
            if longest is not None and len(value) > longest:
                causes.append(errors.too_long(_join(parent, name), longest))
            elif shortest and len(value) < shortest:
                field = _join(parent, name)
                detail = f"{field} in body should be at least {shortest} chars long"
                causes.append(errors.wrong(field, value, detail))

        yield length
    if pattern := schema.get("pattern"):
        matches = matcher(pattern)

        def match(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is str and not matches(value):
                field = _join(parent, name)
                detail = f"{field} in body should match '{pattern}'"
                causes.append(errors.wrong(field, value, detail))

        yield match
    named = schema.get("format", "")
    if has_format := FORMATS.get(named):

        def formatted(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is str and not has_format(value):
                field, said = _join(parent, name), DECODED.get(named)
                cause = wrong_type(field, value, named)
                causes.append(wrong_text(field, value, said) if said else cause)

        yield formatted


def _numbers(schema: JSON) -> Iterable[Check]:
    bounds = _BOUNDS.get(schema.get("format", ""))
    if bounds is None and schema.get("type") == "integer":
        bounds = _BOUNDS["int64"]
    if bounds is not None:
        least, most = bounds
        named = schema.get("format", "int64")

        def fits(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is int and not least <= value <= most:
                detail = f"Checked value must be of type integer with format {named} in "
                causes.append(of_whole(detail + _join(parent, name)))

        yield fits
    if (factor := schema.get("multipleOf")) is not None:

        def multiple(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) in (int, float) and (value / factor) % 1:
                field = _join(parent, name)
                detail = f"{field} in body should be a multiple of {factor}"
                causes.append(errors.wrong(field, value, detail))

        yield multiple
    yield from _limits(schema)


def _limits(schema: JSON) -> Iterable[Check]:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is None and high is None:
        return

    def within(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) not in (int, float):
            return
        if low is not None and (value <= low if above else value < low):
            word = "greater than" if above else "greater than or equal to"
            limit = low
        elif high is not None and (value >= high if below else value > high):
            word = "less than" if below else "less than or equal to"
            limit = high
        else:
            return
        field = _join(parent, name)
        causes.append(errors.wrong(field, value, f"{field} in body should be {word} {limit}"))

    yield within


def _enum(schema: JSON) -> Iterable[Check]:
    allowed = schema.get("enum")
    if allowed is None:
        return
    quick = frozenset(v for v in allowed if isinstance(v, str | int | float))
    shown = [v if isinstance(v, str) else errors.shown(v) for v in allowed]

    def one_of(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        known = value in quick if isinstance(value, str | int | float) else value in allowed
        if not known:
            causes.append(errors.unsupported(_join(parent, name), value, shown))

    yield one_of


def _arrays(schema: JSON) -> Iterable[Check]:
    items = schema.get("items")
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    item = compile_check(items) if items else None
    if fewest or most is not None or item is not None:

        def each(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is not list:
                return
            field = _join(parent, name)
            if most is not None and len(value) > most:
                causes.append(too_many(field, len(value), most))
            elif fewest and len(value) < fewest:
                detail = f"{field} in body should have at least {fewest} items"
                causes.append(errors.wrong(field, len(value), detail))
            if item is not None:
                for index, one in enumerate(value):
                    item(one, field, f"[{index}]", causes)

        yield each
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set" or schema.get("uniqueItems"):
        yield _distinct(None)
    elif kind == "map":
        yield _distinct(tuple(schema.get("x-kubernetes-list-map-keys") or ()))


def _distinct(keys: tuple[str, ...] | None) -> Check:
    def distinct(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) is not list or len(value) < 2 or _differ(value, keys):
            return
        seen: set[object] = set()
        for index, one in enumerate(value):
            if keys is not None and type(one) is not dict:
                detail = "must be an object for an array of list-type map"
                causes.append(errors.wrong(f"{_join(parent, name)}[{index}]", one, detail))
                continue
            if keys is not None:
                shown = {k: one[k] for k in keys if k in one} if type(one) is dict else one
            else:
                shown = one
            mark = shown if type(shown) is str else msgspec.json.encode(shown, order="sorted")
            if mark in seen:
                causes.append(errors.duplicate(f"{_join(parent, name)}[{index}]", shown))
            seen.add(mark)

    return distinct


def _differ(values: list[Value], keys: tuple[str, ...] | None) -> bool:
    """Whether items are all different for sure; False means: compare them closely."""
    try:
        if keys is None:
            marks = len(set(values))
        elif len(keys) == 1:
            key = keys[0]
            marks = len({one.get(key) for one in values})
        else:
            marks = len({tuple(map(one.get, keys)) for one in values})
    except (TypeError, AttributeError):
        return False  # items that are lists or objects, or no objects at all
    return marks == len(values)


def _objects(schema: JSON, *, is_object: bool) -> Iterable[Check]:
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    properties: JSON = schema.get("properties") or {}
    compiled = {n: compile_check(s) for n, s in properties.items()}
    if is_object or embedded:
        compiled |= dict.fromkeys(("apiVersion", "kind"))
    deep = [(n, f".{n}", check) for n, check in compiled.items() if check is not None]
    needed = tuple(schema.get("required") or ())
    if embedded:
        needed += tuple(n for n in ("apiVersion", "kind") if n not in needed)
    additional = schema.get("additionalProperties")
    others = compile_check(additional) if isinstance(additional, dict) else None
    if deep or needed or others is not None:
        yield _fields(deep, needed, others, frozenset(properties))
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest or most is not None:

        def count(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
            if type(value) is not dict:
                return
            field = _join(parent, name)
            if most is not None and len(value) > most:
                causes.append(too_many(field, len(value), most))
            elif fewest and len(value) < fewest:
                detail = f"{field} in body should have at least {fewest} properties"
                causes.append(errors.wrong(field, len(value), detail))

        yield count


def _fields(
    deep: list[tuple[str, str, Check]],
    needed: tuple[str, ...],
    others: Check | None,
    named: frozenset[str],
) -> Check:
    def fields(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if type(value) is not dict:
            return
        here = _join(parent, name)
        causes.extend(
            errors.required(f"{here}.{key}" if here else key) for key in needed if key not in value
        )
        for key, suffix, check in deep:
            if key in value:
                check(value[key], here, suffix, causes)
        if others is not None:
            for key, one in value.items():
                if key not in named:
                    others(one, here, f".{key}", causes)

    return fields


def _junctors(schema: JSON) -> Iterable[Check]:
    if schema.get("x-kubernetes-int-or-string"):
        schema = {k: v for k, v in schema.items() if k not in ("anyOf", "allOf")}
    if parts := schema.get("allOf"):
        yield _all_of([compile_check(p) for p in parts])
    if parts := schema.get("anyOf"):
        yield _some_of([compile_check(p) for p in parts], exactly_one=False)
    if parts := schema.get("oneOf"):
        yield _some_of([compile_check(p) for p in parts], exactly_one=True)
    if (part := schema.get("not")) is not None:
        yield _not(compile_check(part))


def _found(check: Check | None, value: Value, parent: str, name: str) -> list[Cause]:
    causes: list[Cause] = []
    if check is not None:
        check(value, parent, name, causes)
    return causes


def _all_of(checks: list[Check | None]) -> Check:
    def all_of(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        results = [_found(check, value, parent, name) for check in checks]
        failed = [result for result in results if result]
        if failed:
            for result in failed:
                causes.extend(result)
            none = ". None validated" if len(failed) == len(results) else ""
            field = _join(parent, name)
            causes.append(of_whole(f'"{field}" must validate all the schemas (allOf){none}'))

    return all_of


def _some_of(checks: list[Check | None], *, exactly_one: bool) -> Check:
    def some_of(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        results = [_found(check, value, parent, name) for check in checks]
        valid = sum(not result for result in results)
        if valid == 1 or (valid and not exactly_one):
            return
        field = _join(parent, name)
        if not exactly_one:
            causes.append(of_whole(f'"{field}" must validate at least one schema (anyOf)'))
        else:
            count = f"Found {valid} valid alternatives" if valid else "Found none valid"
            detail = f'"{field}" must validate one and only one schema (oneOf). {count}'
            causes.append(of_whole(detail))
        if not valid:
            causes.extend(next(r for r in results if len(r) == min(map(len, results))))

    return some_of


def _not(check: Check | None) -> Check:
    def negated(value: Value, parent: str, name: str, causes: list[Cause]) -> None:
        if not _found(check, value, parent, name):
            field = _join(parent, name)
            causes.append(of_whole(f'"{field}" must not validate the schema (not)'))

    return negated
