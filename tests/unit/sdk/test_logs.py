"""Lines of ranks: read, merged by time, never twice when a stream is opened again."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api.core import (
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    Pod,
    PodStatus,
)
from athanor.api.meta import ObjectMeta
from athanor.api.training import TrainingJob
from athanor.sdk.logs import Found, LogLine, _Follower, _has_rank, merged, ranked, read_line
from athanor.sdk.steps import Arrival
from athanor.wire.status import ApiError

T1, T2, T3 = (f"2026-11-23T21:00:0{n}.000000001Z" for n in (1, 2, 3))


def pod(rank: int, phase: str = "Running") -> Pod:
    labels = {"athanor.dev/pod-set": "worker", "athanor.dev/rank": str(rank)}
    running = ContainerState(running=ContainerStateRunning())
    return Pod(
        metadata=ObjectMeta(name=f"a-worker-{rank}", uid=f"u{rank}", labels=labels),
        status=PodStatus(
            phase=phase, container_statuses=[ContainerStatus(name="main", state=running)]
        ),
    )


def test_a_line_is_time_and_text() -> None:
    assert read_line(pod(1), f"{T1} hello world".encode()) == LogLine(
        "a-worker-1", "worker-1", T1, "hello world"
    )
    assert read_line(pod(1), b"no time here").text == "no time here"
    assert read_line(pod(1), b"\xff\xfe").time == ""


def test_lines_of_ranks_are_merged_by_time() -> None:
    first = [read_line(pod(0), f"{t} zero".encode()) for t in (T1, T3)]
    second = [read_line(pod(1), f"{T2} one".encode())]
    assert [line.rank for line in merged([first, second])] == ["worker-0", "worker-1", "worker-0"]


def test_ranks_are_in_order_and_can_be_chosen() -> None:
    pods = [pod(10), pod(2), pod(0)]
    assert [p.metadata.name for p in ranked(pods, "")] == [
        "a-worker-0", "a-worker-2", "a-worker-10"
    ]  # fmt: skip
    for word in ("2", "worker-2", "a-worker-2"):
        assert [p.metadata.name for p in ranked(pods, word)] == ["a-worker-2"]


def test_a_rank_that_there_is_not_is_refused_with_those_there_are() -> None:
    job = msgspec.convert(
        {"metadata": {"name": "j"}, "spec": {
            "roles": [{"name": "ps", "template": {}}, {"name": "worker", "template": {}}],
            "elastic": {"min": 1, "max": 4}}},
        TrainingJob,
    )  # fmt: skip
    found = Found(pods=[pod(0)], selector=("", ""), job=job)
    for there in ("", "0", "3", "ps-0", "worker-3", "a-worker-0"):
        _has_rank("j", found, there)
    for wrong in ("4", "ps-1", "worker-4", "chief-0", "worker", "-1"):
        with pytest.raises(ApiError, match="j has no rank .*; it has worker-0 to worker-3, ps-0"):
            _has_rank("j", found, wrong)
    _has_rank("p", Found(pods=[], selector=("", "")), "7")  # it may have some later


def test_no_line_is_lost_or_doubled_when_a_stream_breaks() -> None:
    state = _Follower()
    said: list[str] = []

    def hear(handle: int, text: str, *, end: bool = False) -> None:
        said.extend(line.text for line in state.lines(Arrival(handle, text.encode())))
        if end:
            last = Arrival(handle, None)
            said.extend(line.text for line in state.lines(last))
            state.end(last)

    state.start(1, pod(0))
    hear(1, f"{T1} a\n{T2} b\n{T2} c\n{T2} to", end=True)
    assert state.wants(pod(0))
    state.start(2, pod(0))
    hear(2, f"{T2} b\n{T2} c\n{T2} torn\n{T3} d\n")
    assert said == ["a", "b", "c", "torn", "d"]


def test_a_stream_that_broke_is_not_the_end_of_a_finished_pod() -> None:
    state = _Follower()
    state.start(1, pod(0, "Succeeded"))
    broke = Arrival(1, None, ApiError("ServiceUnavailable", "broke off"))
    assert [line.text for line in state.lines(Arrival(1, f"{T1} a\n{T1} b".encode()))] == ["a"]
    assert state.lines(broke) == []
    assert not state.end(broke)
    assert state.wants(pod(0, "Succeeded"))


def test_a_finished_pod_is_read_once() -> None:
    state = _Follower()
    state.start(1, pod(0))
    state.open[1] = pod(0, "Succeeded")
    assert not state.end(Arrival(1, None)), "its node may have ended the stream before"
    state.start(2, pod(0, "Succeeded"))
    assert state.end(Arrival(2, None))
    assert not state.wants(pod(0, "Succeeded"))
