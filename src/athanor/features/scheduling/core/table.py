"""Tables: frozen groups of columns whose arrays cannot be written, and their JSON form.

A column says its dtype and its axes ("NR" = nodes × resources). Columns of one table that name
the same axis have the same length there. Integers and floats survive the JSON form bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Smalls = NDArray[np.int32]
Floats = NDArray[np.float64]

JSON = dict[str, Any]
T = TypeVar("T", bound="Table")


class ShapeError(ValueError):
    """The columns of a table do not belong together."""


def column(dtype: type[np.generic], axes: str) -> Any:
    """A column of an array type; every letter of `axes` is one dimension."""
    return field(metadata={"dtype": np.dtype(dtype), "axes": axes})


def texts(axes: str) -> Any:
    """A column of texts (a tuple), one an element of the axis."""
    return field(metadata={"axes": axes})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(column, texts))
def table(cls: type[T]) -> type[T]:
    """Make a Table of a class body of columns."""
    made = dataclass(frozen=True, kw_only=True, eq=False)(cls)
    made.columns = tuple(
        (one.name, one.metadata.get("dtype"), one.metadata.get("axes", "")) for one in fields(made)
    )
    return made


class Table:
    """Columns that cannot be changed. Raises ShapeError when they do not fit together."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    columns: ClassVar[tuple[tuple[str, object, str], ...]] = ()
    """Name, dtype (None: a tuple) and axes of every column."""

    def __post_init__(self) -> None:
        """Convert, freeze and check every column."""
        lengths: dict[str, int] = {}
        for name, dtype, axes in self.columns:
            value = getattr(self, name)
            if dtype is not None:
                value = frozen(value, dtype)
                object.__setattr__(self, name, value)
            shape = value.shape if dtype is not None else (len(value),) if axes else ()
            if len(shape) != len(axes):
                raise ShapeError(f"{name} has {len(shape)} dimensions, not {axes!r}")
            for axis, length in zip(axes, shape, strict=True):
                if lengths.setdefault(axis, length) != length:
                    raise ShapeError(f"{name} has {length} along {axis}, others {lengths[axis]}")
        vars(self)["_lengths"] = lengths

    def lengths(self) -> dict[str, int]:
        """The length of every axis."""
        found: dict[str, int] = vars(self)["_lengths"]
        return found

    def __eq__(self, other: object) -> bool:
        """Same type, same columns, same bits (NaN equals NaN)."""
        if other is self:
            return True
        if type(other) is not type(self):
            return NotImplemented
        return all(
            same(getattr(self, column_.name), getattr(other, column_.name))
            for column_ in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> JSON:
        """The table as JSON values."""
        return {column_.name: _encode(getattr(self, column_.name)) for column_ in fields(self)}

    @classmethod
    def from_json(cls: type[T], value: JSON) -> T:
        """Read what `to_json` wrote. Raises ShapeError for anything else."""
        missing = {f.name for f in fields(cls)} ^ set(value)
        if missing:
            raise ShapeError(f"{cls.__name__}: missing or unknown columns {sorted(missing)}")
        return cls(**{f.name: _decode(value[f.name], f.metadata) for f in fields(cls)})


def renewed(table: T, columns: Mapping[str, object]) -> T:
    """The table with these columns in place of its own."""
    return replace(table, **columns)


def repeated(table: T, rows: Sequence[int]) -> T:
    """The table with some of its rows once more at its end (every column by its first axis)."""
    columns: dict[str, object] = {}
    for one in fields(table):
        value = getattr(table, one.name)
        if isinstance(value, np.ndarray):
            columns[one.name] = np.concatenate([value, value[list(rows)]])
        else:
            columns[one.name] = (*value, *(value[row] for row in rows))
    return renewed(table, columns)


def frozen(value: Any, dtype: Any) -> NDArray[Any]:
    """The value as an array of `dtype` that nobody can write; copies what others could write."""
    array: NDArray[Any] = np.asarray(value)
    if array.dtype != dtype or array.flags.writeable or not array.flags.c_contiguous:
        if array.dtype.kind == "f" and np.dtype(dtype).kind in "iub":
            raise ShapeError(f"floats given where whole numbers belong: {array.dtype} → {dtype}")
        array = np.array(array, dtype=dtype, order="C", copy=True)
        array.setflags(write=False)
    return array


def smalls(values: Iterable[int]) -> Smalls:
    """A column of int32."""
    return np.array(list(values), dtype=np.int32)


def ints(values: Iterable[int]) -> Ints:
    """A column of int64."""
    return np.array(list(values), dtype=np.int64)


def floats(values: Iterable[float]) -> Floats:
    """A column of float64."""
    return np.array(list(values), dtype=np.float64)


def bools(values: Iterable[bool]) -> Bools:
    """A column of truth values."""
    return np.array(list(values), dtype=np.bool_)


def same(a: Any, b: Any) -> bool:
    """Whether two columns are the same, NaN equal to NaN."""
    if a is b:
        return True
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        inexact = a.dtype.kind == "f"
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=inexact))
    return bool(a == b)


def _encode(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    flat = value.ravel().tolist()
    if value.dtype.kind == "f":
        flat = [x if math.isfinite(x) else str(x) for x in flat]
    elif value.dtype.kind == "b":
        flat = [int(x) for x in flat]
    return {"shape": list(value.shape), "data": flat}


def _decode(value: Any, metadata: Any) -> Any:
    dtype = metadata.get("dtype")
    if dtype is None:
        return _tuples(value) if metadata.get("axes") else value
    data = value["data"]
    if dtype.kind == "f":
        data = [float(x) for x in data]
    return np.array(data, dtype=dtype).reshape(value["shape"])


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
