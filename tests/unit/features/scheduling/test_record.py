"""What is remembered of gangs that are over: once each, bounded, and enough to play them again."""

from __future__ import annotations

import asyncio
from unittest import mock

import msgspec
import pytest

from athanor.api.core import ConfigMap, Node
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.features.gangs.apply import controller as gangs_controller
from athanor.features.scheduling import gangs, record, replay, scenario
from athanor.features.scheduling.apply import controller as scheduling
from athanor.features.scheduling.core.snapshot import Policy
from athanor.features.scheduling.plan import Planner
from athanor.features.scheduling.record import Recorder
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.runtime.plan import Action, Create, Delete, Patch, merged
from athanor.testing.lab import cluster
from athanor.testing.virtual import run
from athanor.wire import calls

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
    home = Home()
    home.do(actions)
    return home.maps


def records(actions: list[Action]) -> list[ConfigMap]:
    return [msgspec.convert(one, ConfigMap) for one in written(actions).values()]


class Home:
    """A namespace: what was written there, and how a leader sees it."""

    def __init__(self) -> None:
        self.maps: dict[str, JSON] = {}

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Create):
                self.maps.setdefault(action.manifest["metadata"]["name"], action.manifest)
            elif isinstance(action, Patch):
                self.maps[action.name] = merged(self.maps[action.name], action.body)
            elif isinstance(action, Delete):
                self.maps.pop(action.name, None)

    def lead(self, recorder: Recorder, over: list[Gang], now: float) -> list[float]:
        """One look of a leader; when the next is due."""
        actions, later = recorder(over, self.seen, now)
        self.do(actions)
        return later

    @property
    def records(self) -> list[ConfigMap]:
        return [msgspec.convert(one, ConfigMap) for one in self.maps.values()]

    @property
    def seen(self) -> list[ConfigMap]:
        return [record.lean(one) for one in self.records]

    @property
    def size(self) -> int:
        """Bytes of the fullest ConfigMap."""
        return max(
            sum(len(k.encode()) + len(text.encode()) for k, text in one.data.items())
            for one in self.records
        )  # fmt: skip


def test_a_gang_is_remembered_by_what_it_asked_for_and_nothing_it_ran() -> None:
    made, later = Recorder("home")([gang("a")], [], NOW)
    assert not later
    assert "secret" not in str(made)
    again, ran, runs, evictions = record.remembered(records(made))[0]
    assert (ran, evictions) == (600.0, 0)
    assert [run.reason for run in runs] == ["Succeeded"]
    assert gangs.read(again, ()) == gangs.read(gang("a"), ())
    assert again.metadata.creation_timestamp == gang("a").metadata.creation_timestamp


def test_writing_twice_is_writing_once_and_writes_keep_a_pause() -> None:
    recorder, home = Recorder("home"), Home()
    home.lead(recorder, [gang("a")], NOW)
    assert recorder([gang("a")], home.seen, NOW + 1.0) == ([], [])
    assert recorder([gang("b")], home.seen, NOW + 1.0) == ([], [record.EVERY - 1.0])
    more, _ = recorder([], home.seen, NOW + record.EVERY)
    assert not any(isinstance(one, Create) for one in more)
    home.do(more)
    after, _ = Recorder("home")([gang("a"), gang("b")], [], NOW + 100.0)  # a restart
    assert written(after) == home.maps
    seen = Recorder("home")([gang("a"), gang("b")], home.seen, NOW + 100.0)
    assert seen == ([], [])


def test_a_write_that_failed_loses_nothing() -> None:
    recorder, home = Recorder("home"), Home()
    recorder([gang("a")], [], NOW)  # refused, or never sent: an action before it was
    assert home.lead(recorder, [gang("b")], NOW + 5.0) == [record.EVERY - 5.0]
    home.lead(recorder, [], NOW + record.EVERY)
    assert {past.gang.metadata.name for past in record.remembered(home.records)} == {"a", "b"}
    assert recorder([], home.seen, NOW + 2 * record.EVERY) == ([], [])


def test_the_record_is_bounded() -> None:
    home = Home()
    days = [f"2026-01-{day:02}" for day in (6, 7)]
    home.maps = {
        f"athanor-history-{day}{more}": {
            "metadata": {"name": f"athanor-history-{day}{more}", "namespace": "home",
                         "labels": {record.LABEL: day}}
        }
        for day in days for more in ("", "-nodes")
    }  # fmt: skip
    with mock.patch.object(record, "MOST", 2):
        home.lead(Recorder("home"), [gang(f"g{i}") for i in range(5)], NOW)
    found = home.records
    assert (len(record.remembered(found)), record.left_out(found)) == (2, 3)
    assert [*home.maps] == [
        "athanor-history-2026-01-07", "athanor-history-2026-01-07-nodes",
        "athanor-history-2026-01-20",
    ]  # fmt: skip
    old = gang("old", begun=NOW - 30 * 86400.0, end=NOW - 29 * 86400.0)
    assert Recorder("home")([old], [], NOW) == ([], [])
    assert Recorder()([gang("a")], [], NOW) == ([], [])


def test_days_that_are_too_old_are_neither_written_nor_in_the_way() -> None:
    day = 86400.0
    last = gang("last", begun=NOW - 13 * day - 600.0, end=NOW - 13 * day)
    made, _ = Recorder("home")([gang("a"), last], [], NOW)
    assert {*written(made)} == {"athanor-history-2026-01-20", "athanor-history-2026-01-07"}
    recorder, home, midnight = Recorder("home"), Home(), NOW + day / 2
    home.lead(recorder, [gang("first")], midnight - 30.0)
    home.lead(recorder, [last], midnight - 20.0)
    home.lead(recorder, [gang("b", end=midnight + 10.0)], midnight + 40.0)
    assert {*home.maps} == {"athanor-history-2026-01-20", "athanor-history-2026-01-21"}


def test_a_day_never_outgrows_its_config_map_whoever_leads() -> None:
    home, wide = Home(), "ω" * 50
    with mock.patch.object(record, "SIZE", 4000):
        for term in range(30):  # a leader knows only those that are still there
            recorder, now = Recorder("home"), NOW + 100.0 * term
            home.lead(recorder, [gang(f"{wide}{term}-{i}", f"{term}-{i}") for i in range(2)], now)
            home.lead(recorder, [gang(f"{wide}{term}-2", f"{term}-2")], now + record.EVERY)
    assert 3000 < home.size < 4100
    left = record.left_out(home.records)
    assert 0 < left <= 90 - len(record.remembered(home.records))
    with mock.patch.object(record, "SIZE", 4000):  # who is left out is counted once
        home.lead(Recorder("home"), [gang(f"{wide}0-{i}", f"x-{i}") for i in range(2)], NOW)
    assert record.left_out(home.records) == left


@pytest.mark.parametrize("how", ["waits", "suspended", "replaced"])
def test_who_was_evicted_is_remembered_though_he_never_runs_again(how: str) -> None:
    def one(name: str, cpu: int) -> JSON:
        asks = {"requests": {"cpu": str(cpu)}}
        box = {"name": "main", "image": "host", "resources": asks}
        sets = [{"name": "w", "count": 1, "template": {"spec": {"containers": [box]}}}]
        spec = {"podSets": sets, "queue": "mine" if name == "m" else "team"}
        return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}

    async def main() -> None:
        planner = Planner(home="kube-system")
        controllers = [gangs_controller(), scheduling(planner=planner)]
        async with cluster(controllers, nodes={"n": {"cpu": "4", "pods": "9"}}) as lab:
            pool: JSON = {"metadata": {"name": "default"}, "spec": {"exclusive": False}}
            await lab.create(pool, Pool)
            for name, amount in (("team", 0), ("mine", 4)):
                quota = {"pool": "default", "guaranteed": {"cpu": str(amount)}}
                await lab.create({"metadata": {"name": name}, "spec": {"pools": [quota]}}, Queue)
            await lab.create(one("x", 4), Gang)
            await lab.until(Gang, "x", lambda g: g.status.phase == "Running")
            if how == "suspended":
                await lab.patch(Gang, "x", {"spec": {"suspend": True}})
                await lab.until(Gang, "x", lambda g: g.status.phase == "Suspended")
            await lab.create(one("m", 4), Gang)
            await lab.until(Gang, "m", lambda g: g.status.phase == "Running", within=120)
            uid = (await lab.get(Gang, "x")).metadata.uid
            await lab.client(calls.delete(of(Gang), "x", "default"))
            if how == "replaced":
                await lab.create(one("x", 4), Gang)
            await asyncio.sleep(record.EVERY + 10.0)
            maps = await lab.list(ConfigMap, "kube-system")
            found = [past for past in record.remembered(maps) if past.gang.metadata.uid == uid]
            assert [len(past.runs) for past in found] == [1]

    run(main)


def test_what_is_gone_is_played_again_beside_what_is_there() -> None:
    size = {"cpu": "8", "pods": "10"}
    node = {"metadata": {"name": "n", "labels": {"zone": "a"}}, "status": {"allocatable": size}}
    objects = {
        Node: [msgspec.convert(node, Node)],
        Pool: [msgspec.convert({"metadata": {"name": "default"}}, Pool)],
        Queue: [msgspec.convert({"metadata": {"name": "team"}}, Queue)],
        Gang: [gang("same", "2"), gang("there", "3")],
    }
    made, _ = Recorder("home")([gang("same", "1", end=NOW - 300.0), gang("there", "3")], [], NOW)
    first, again = (
        replay.history(objects, Policy(), NOW, records(made)).scenario for _ in range(2)
    )  # fmt: skip
    assert first.snapshot.gangs.names == ("ns/same.1", "ns/same.2", "ns/there.3")
    assert first.work.tolist() == [300.0, 600.0, 600.0]
    assert scenario.write(first) == scenario.write(again)
