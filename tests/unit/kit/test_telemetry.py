"""Metrics and their text."""

from __future__ import annotations

import pytest

from athanor.kit.telemetry import Counter, Gauge, Histogram, Registry


def test_text_as_prometheus_reads_it() -> None:
    registry = Registry()
    requests = Counter("requests_total", "Answered\nrequests.", ("verb", "path"))
    seconds = Histogram("seconds", "How long.", ("verb",), (0.1, 1.0))
    for metric in (requests, seconds, Gauge("up", "Whether.", lambda: {(): 1})):
        registry.add(metric)
    requests.add(("get", 'a"b\\c'))
    requests.add(("get", 'a"b\\c'), 2)
    for value in (0.05, 0.1, 0.5, 7.25):
        seconds.observe(value, ("get",))
    assert registry.text().decode() == (
        "# HELP requests_total Answered\\nrequests.\n"
        "# TYPE requests_total counter\n"
        'requests_total{verb="get",path="a\\"b\\\\c"} 3\n'
        "# HELP seconds How long.\n"
        "# TYPE seconds histogram\n"
        'seconds_bucket{verb="get",le="0.1"} 2\n'
        'seconds_bucket{verb="get",le="1"} 3\n'
        'seconds_bucket{verb="get",le="+Inf"} 4\n'
        'seconds_sum{verb="get"} 7.9\n'
        'seconds_count{verb="get"} 4\n'
        "# HELP up Whether.\n"
        "# TYPE up gauge\n"
        "up 1\n"
    )


def test_names_are_taken_once() -> None:
    registry = Registry()
    registry.add(Counter("a_total", "A."))
    with pytest.raises(ValueError, match="there is a metric a_total already"):
        registry.add(Counter("a_total", "A."))
