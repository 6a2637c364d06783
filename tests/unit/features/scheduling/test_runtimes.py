"""What ended gangs teach: once each, over restarts, without anybody's name."""

from __future__ import annotations

import json
from typing import NamedTuple

import msgspec
import numpy as np

from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Gang, Queue
from athanor.features.scheduling import gangs
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.history import Paths
from athanor.features.scheduling.core.lifetimes import rest
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import smalls
from athanor.features.scheduling.runtimes import SAVE_EVERY, Runtimes, path_of
from athanor.kit.times import parse_rfc3339, rfc3339

NOW = parse_rfc3339("2026-01-02T00:00:00Z")


class Seen(NamedTuple):
    """One gang that waits, its queue, and gangs that ended since the last look."""

    snapshot: Snapshot
    waits: Gang
    queue: Queue
    finished: tuple[Gang, ...]


def gang(name: str, user: str = "ann", ran: int = 0, end: float = NOW, **spec: object) -> Gang:
    """A gang of one pod; finished when it has run."""
    container = {"name": "c", "resources": {"requests": {"cpu": "4"}}}
    admission = {"queue": "team", "pool": "p", "admittedAt": rfc3339(end - ran)}
    status = {"phase": "Succeeded", "finishedAt": rfc3339(end), "admission": admission}
    return msgspec.convert({
        "metadata": {"name": name, "namespace": "ns", "uid": f"{name}/{end}",
                     "annotations": {"athanor.dev/user": user}},
        "spec": {"queue": "team", **spec, "podSets": [
            {"name": "w", "count": 1, "template": {"spec": {"containers": [container]}}}]},
        "status": status if ran else {},
    }, Gang)  # fmt: skip


def seen(waits: Gang, queue: Queue, *finished: Gang) -> Seen:
    ask = r.AskRow((r.PodSetRow("w", r.ShapeRow((("cpu", 4000),))),))
    rows = [r.GangRow(f"ns/{waits.metadata.name}", "team", ask, created=NOW)]
    node = r.NodeRow("a", "p", {"cpu": 8000})
    s = build(r.Rows([r.PoolRow("p")], [node], [r.QueueRow("team")], rows))
    return Seen(s, waits, queue, finished)


def expected(runtimes: Runtimes, at: Seen, now: float = NOW) -> float:
    """Seconds until the gang ends, as likely as not."""
    runtimes.learn(at.finished, (), {"team": at.queue}, now)
    paths = Paths()
    needs = gangs.read(at.waits, ()).needs
    numbers = smalls([paths.number(path_of(at.waits, "team", needs))])
    return float(rest(runtimes.mark(at.snapshot, numbers, paths, now), now, 0.5)[0])


QUEUE = Queue(metadata=ObjectMeta(name="team"))
PAST = tuple(gang(f"eval-{i}", ran=1000) for i in range(20))


def test_finished_gangs_teach_how_long_others_like_them_run() -> None:
    runtimes = Runtimes()
    first = expected(runtimes, seen(gang("eval-99"), QUEUE, *PAST))
    assert 900 < first < 1500
    later = expected(runtimes, seen(gang("eval-99"), QUEUE), NOW + 1000)
    assert later == first
    assert np.isnan(expected(Runtimes(), seen(gang("eval-99"), QUEUE, *PAST[:5])))


def test_what_one_users_gangs_of_a_name_do_is_said_of_them_alone() -> None:
    runtimes = Runtimes()
    long = tuple(gang(f"train-{i}", "bob", ran=90_000) for i in range(20))
    assert expected(runtimes, seen(gang("eval-7"), QUEUE, *PAST, *long)) < 1500
    assert expected(runtimes, seen(gang("train-7", "bob"), QUEUE, *PAST, *long)) > 60_000


def test_it_survives_a_restart_and_names_nobody() -> None:
    runtimes = Runtimes()
    before = expected(runtimes, seen(gang("eval-99"), QUEUE, *PAST))
    assert runtimes.is_unsaved(QUEUE, NOW)
    told = runtimes.told(QUEUE, NOW)
    assert "ann" not in json.dumps(told) and "eval" not in json.dumps(told)
    saved = msgspec.structs.replace(
        QUEUE, status=msgspec.structs.replace(QUEUE.status, runtimes=told)
    )
    assert not runtimes.is_unsaved(saved, NOW + SAVE_EVERY)
    again = Runtimes()
    assert expected(again, seen(gang("eval-99"), saved, *PAST)) == before
    assert not again.is_unsaved(saved, NOW + SAVE_EVERY)  # nobody taught twice
    late = gang("eval-77", ran=500, end=NOW + 60)
    expected(again, seen(gang("eval-99"), saved, late), NOW + 60)
    assert again.is_unsaved(saved, NOW + SAVE_EVERY)
