"""The parameters of a sweep: which exist, what a grid has, and draws that only a seed decides."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from athanor.api.sweeps import SweepParameter

Value = int | float | str
Values = Mapping[str, Value]

MOST_STEPS = 10_000


def exists(parameter: SweepParameter, values: Values) -> bool:
    """Whether a parameter exists, given those before it."""
    when = parameter.when
    return when is None or values.get(when.parameter) in when.values


def wrong(parameters: Sequence[SweepParameter]) -> str:
    """What makes no sense in a space, with its field; "" when all is well."""
    seen: dict[str, SweepParameter] = {}
    for index, one in enumerate(parameters):
        where = f"spec.parameters[{index}]"
        if one.name in seen:
            return f"{where}.name: {one.name} is there twice"
        if one.type == "Choice":
            if not one.choices:
                return f"{where}.choices: a Choice needs at least one"
        elif one.min is None or one.max is None or one.min > one.max:
            return f"{where}: {one.type} needs min and max, min not above max"
        elif one.log and one.min <= 0:
            return f"{where}.min: must be above 0 on a logarithmic scale"
        elif one.step is not None and one.step <= 0:
            return f"{where}.step: must be above 0"
        elif one.log and one.step is not None:
            return f"{where}.step: a logarithmic scale has none"
        if one.when is not None:
            above = seen.get(one.when.parameter)
            if above is None:
                name = one.when.parameter
                return f"{where}.when.parameter: no parameter {name!r} comes before it"
            if above.type == "Choice" and not any(v in above.choices for v in one.when.values):
                there = ", ".join(str(choice) for choice in above.choices)
                return f"{where}.when.values: none is a choice of {above.name}; there are {there}"
        seen[one.name] = one
    return ""


def draw(parameters: Sequence[SweepParameter], seed: int, number: int) -> dict[str, Value]:
    """The values of trial `number` at random: the same for the same seed."""

    def at(name: str) -> float:
        told = hashlib.sha256(f"{seed}/{number}/{name}".encode()).digest()
        return int.from_bytes(told[:7], "big") / 2**56

    return _walk(parameters, lambda one: _at(one, at(one.name)))


def grid_size(parameters: Sequence[SweepParameter]) -> int:
    """How many points a grid has."""
    return sum(1 for _ in grid(parameters))


def grid(parameters: Sequence[SweepParameter]) -> Iterator[dict[str, Value]]:
    """All points, the last parameter fastest; at most MOST_STEPS of them."""
    for count, point in enumerate(_points(list(parameters), {})):
        if count == MOST_STEPS:
            return
        yield point


def steps(one: SweepParameter) -> list[Value]:
    """The values of a parameter in a grid: five of a range without steps."""
    if one.type == "Choice":
        return list(one.choices)
    low, high = _bounds(one)
    if one.log:
        ratio = math.log(high / low)
        found = [low * math.exp(ratio * i / 4) for i in range(5)]
    elif one.step is None and one.type == "Float":
        found = [low + (high - low) * i / 4 for i in range(5)]
    else:
        step = one.step or 1.0
        found = [
            low + step * i for i in range(min(int((high - low) / step + 1e-9) + 1, MOST_STEPS))
        ]
    if one.type == "Int":
        return list(dict.fromkeys(round(value) for value in found))
    return list(dict.fromkeys(found))


def _points(left: list[SweepParameter], values: dict[str, Value]) -> Iterator[dict[str, Value]]:
    if not left:
        yield dict(values)
        return
    first, rest = left[0], left[1:]
    if not exists(first, values):
        yield from _points(rest, values)
        return
    for value in steps(first):
        yield from _points(rest, {**values, first.name: value})


def _walk(
    parameters: Sequence[SweepParameter], choose: Callable[[SweepParameter], Value]
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for one in parameters:
        if exists(one, values):
            values[one.name] = choose(one)
    return values


def _at(one: SweepParameter, part: float) -> Value:
    """The value at a part (0 to 1) of the range."""
    if one.type == "Choice":
        return one.choices[int(part * len(one.choices))]
    low, high = _bounds(one)
    if one.type == "Int" and not one.log:
        step = max(round(one.step or 1), 1)
        count = int((high - low) // step) + 1
        return int(low) + step * int(part * count)
    if one.log:
        value = low * math.exp(math.log(high / low) * part)
        return min(max(round(value), int(low)), int(high)) if one.type == "Int" else value
    if one.step is not None:
        count = int((high - low) / one.step + 1e-9) + 1
        return low + one.step * int(part * count)
    return low + (high - low) * part


def _bounds(one: SweepParameter) -> tuple[float, float]:
    return one.min if one.min is not None else 0.0, one.max if one.max is not None else 0.0
