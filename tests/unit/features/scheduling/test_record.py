"""What is remembered of gangs that are over: once each, bounded, and enough to play them again."""

from __future__ import annotations

from unittest import mock

import msgspec

from athanor.api.core import ConfigMap, Node
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.scheduling import gangs, record, replay, scenario
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.record import Recorder
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Action, Create, Delete, Patch, merged

NOW = parse_rfc3339("2026-01-20T12:00:00Z")
TERM = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
AFFINITY = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [TERM]}}}


def gang(name: str, uid: str = "", begun: float = NOW - 600.0, end: float = NOW) -> Gang:
    """A gang that ran from `begun` to `end`."""
    container = {"name": "main", "image": "secret/image", "command": ["secret"],
                 "env": [{"name": "TOKEN", "value": "secret"}],
                 "resources": {"requests": {"cpu": "2"}},
                 "ports": [{"containerPort": 80, "hostPort": 80}]}  # fmt: skip
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
               {"name": "s", "secret": {"secretName": "secret"}}]  # fmt: skip
    spec = {"containers": [container], "volumes": volumes, "affinity": AFFINITY,
            "nodeSelector": {"zone": "a"}, "tolerations": [{"operator": "Exists"}]}  # fmt: skip
    meta = {"labels": {"app": "mine"}}
    one = {"name": "w", "count": 3, "minCount": 2, "template": {"metadata": meta, "spec": spec}}
    return msgspec.convert({
        "metadata": {"name": name, "namespace": "ns", "uid": uid or name,
                     "creationTimestamp": rfc3339(begun - 60.0)},
        "spec": {"queue": "team", "podSets": [one], "resize": "Live"},
        "status": {"phase": "Succeeded", "startedAt": rfc3339(begun), "finishedAt": rfc3339(end),
                   "admission": {"queue": "team", "pool": "default"}},
    }, Gang)  # fmt: skip


def written(actions: list[Action]) -> dict[str, JSON]:
    """The ConfigMaps by name after the actions."""
    found: dict[str, JSON] = {}
    for action in actions:
        if isinstance(action, Create):
            found.setdefault(action.manifest["metadata"]["name"], action.manifest)
        elif isinstance(action, Patch):
            found[action.name] = merged(found[action.name], action.body)
    return found


def records(actions: list[Action]) -> list[ConfigMap]:
    return [msgspec.convert(one, ConfigMap) for one in written(actions).values()]


def test_a_gang_is_remembered_by_what_it_asked_for_and_nothing_it_ran() -> None:
    made, later = Recorder("home")([gang("a")], NOW)
    assert not later
    assert "secret" not in str(made)
    again, ran, runs, evictions = record.remembered(records(made))[0]
    assert (ran, evictions) == (600.0, 0)
    assert [run.reason for run in runs] == ["Succeeded"]
    assert gangs.read(again, ()) == gangs.read(gang("a"), ())
    assert again.metadata.creation_timestamp == gang("a").metadata.creation_timestamp


def test_writing_twice_is_writing_once_and_writes_keep_a_pause() -> None:
    recorder = Recorder("home")
    made, _ = recorder([gang("a")], NOW)
    assert recorder([gang("a")], NOW + 1.0) == ([], [])
    assert recorder([gang("b")], NOW + 1.0) == ([], [record.EVERY - 1.0])
    more, _ = recorder([], NOW + record.EVERY)
    assert not any(isinstance(one, Create) for one in more)
    after, _ = Recorder("home")([gang("a"), gang("b")], NOW + 100.0)  # a restart
    assert written(after) == written([*made, *more])


def test_the_record_is_bounded() -> None:
    with mock.patch.object(record, "MOST", 2):
        made, _ = Recorder("home")([gang(f"g{i}") for i in range(5)], NOW)
    found = records(made)
    assert (len(record.remembered(found)), record.left_out(found)) == (2, 3)
    gone = {one.name for one in made if isinstance(one, Delete)}
    assert "athanor-history-2026-01-06" in gone
    assert "athanor-history-2026-01-07" not in gone
    old = gang("old", begun=NOW - 30 * 86400.0, end=NOW - 29 * 86400.0)
    assert Recorder("home")([old], NOW) == ([], [])
    assert Recorder()([gang("a")], NOW) == ([], [])


def test_days_that_are_too_old_are_neither_written_nor_in_the_way() -> None:
    day = 86400.0
    last = gang("last", begun=NOW - 13 * day - 600.0, end=NOW - 13 * day)
    made, _ = Recorder("home")([gang("a"), last], NOW)
    assert {*written(made)} == {"athanor-history-2026-01-20", "athanor-history-2026-01-07"}
    recorder, midnight = Recorder("home"), NOW + day / 2
    recorder([gang("first")], midnight - 30.0)
    recorder([last], midnight - 20.0)
    later, _ = recorder([gang("b", end=midnight + 10.0)], midnight + 40.0)
    assert {*written(later)} >= {"athanor-history-2026-01-21"}


def test_a_day_never_outgrows_its_config_map() -> None:
    with mock.patch.object(record, "SIZE", 2000):
        made, _ = Recorder("home")([gang(f"g{i}") for i in range(5)], NOW)
    found = records(made)
    assert sum(len(k) + len(text) for one in found for k, text in one.data.items()) < 2100
    assert len(record.remembered(found)) + record.left_out(found) == 5


def test_what_is_gone_is_played_again_beside_what_is_there() -> None:
    size = {"cpu": "8", "pods": "10"}
    node = {"metadata": {"name": "n", "labels": {"zone": "a"}}, "status": {"allocatable": size}}
    objects = {
        Node: [msgspec.convert(node, Node)],
        Pool: [msgspec.convert({"metadata": {"name": "default"}}, Pool)],
        Queue: [msgspec.convert({"metadata": {"name": "team"}}, Queue)],
        Gang: [gang("same", "2"), gang("there", "3")],
    }
    made, _ = Recorder("home")([gang("same", "1", end=NOW - 300.0), gang("there", "3")], NOW)
    first, again = (
        replay.history(objects, Policy(), NOW, records(made)).scenario for _ in range(2)
    )  # fmt: skip
    assert first.snapshot.gangs.names == ("ns/same.1", "ns/same.2", "ns/there.3")
    assert first.work.tolist() == [300.0, 600.0, 600.0]
    assert scenario.write(first) == scenario.write(again)
