"""Counters, gauges and histograms, and their text for Prometheus.

Our own, for three kinds of metric need no library. Format:
https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Bucket bounds for how long something takes."""

Labels = tuple[str, ...]


class Metric(Protocol):
    """Anything a registry can print."""

    name: str
    help: str
    kind: str

    def samples(self) -> Iterable[str]:
        """Lines of text."""


class Counter:
    """Only grows. `labels` are names; values come with each call, in that order."""

    kind = "counter"

    def __init__(self, name: str, help_: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self._labels = name, help_, tuple(labels)
        self.values: dict[Labels, float] = {}

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def samples(self) -> Iterable[str]:
        """Lines of text."""
        for labels, value in self.values.items():
            yield f"{self.name}{_braces(self._labels, labels)} {_number(value)}"


class Gauge:
    """A value read when somebody asks: `read` gives it for each combination of label values."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help_: str,
        read: Callable[[], Mapping[Labels, float]],
        labels: Sequence[str] = (),
    ) -> None:
        self.name, self.help, self._labels, self._read = name, help_, tuple(labels), read

    def samples(self) -> Iterable[str]:
        """Lines of text."""
        for labels, value in self._read().items():
            yield f"{self.name}{_braces(self._labels, labels)} {_number(value)}"


class Histogram:
    """How values spread over buckets."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help_: str,
        labels: Sequence[str] = (),
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        self.name, self.help, self._labels = name, help_, tuple(labels)
        self._bounds = list(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, labels: Labels = ()) -> None:
        """Take one value in."""
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def samples(self) -> Iterable[str]:
        """Lines of text; buckets count everything up to their bound."""
        names = (*self._labels, "le")
        for labels, counts in self._counts.items():
            below = 0
            for bound, count in zip([*map(_number, self._bounds), "+Inf"], counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_braces(names, (*labels, bound))} {below}"
            braces = _braces(self._labels, labels)
            yield f"{self.name}_sum{braces} {_number(self._sums[labels])}"
            yield f"{self.name}_count{braces} {below}"


class Registry:
    """What one process measures."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def add(self, metric: Metric) -> None:
        """Register a metric. Raises ValueError for a name that is taken."""
        if metric.name in self._metrics:
            raise ValueError(f"there is a metric {metric.name} already")
        self._metrics[metric.name] = metric

    def text(self) -> bytes:
        """Everything, for Prometheus."""
        lines: list[str] = []
        for name, metric in sorted(self._metrics.items()):
            lines += [f"# HELP {name} {_escape(metric.help)}", f"# TYPE {name} {metric.kind}"]
            lines += metric.samples()
        return ("\n".join(lines) + "\n").encode()


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = [f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True)]
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
