"""Random small scheduling worlds, and a dumb twin that counts what they use."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.account import awaiting
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Resize, Snapshot

NOW = 10_000.0
GPU = "gpu/x"
POOLS = ("p", "r")


@cache
@st.composite
def shapes(draw: st.DrawFn) -> r.ShapeRow:
    """One pod: some CPU, and perhaps devices or a share of one."""
    cpu = draw(st.integers(1, 4)) * 1000
    sort = draw(st.sampled_from(["cpu", "cpu", "whole", "share"]))
    if sort == "cpu":
        return r.ShapeRow(request=(("cpu", cpu),))
    if sort == "whole":
        return r.ShapeRow(request=(("cpu", cpu),), kind=GPU, devices=draw(st.integers(1, 2)))
    milli = draw(st.sampled_from([300, 500, 700]))
    return r.ShapeRow(request=(("cpu", cpu),), kind=GPU, devices=1, milli=milli)


@cache
@st.composite
def asks(draw: st.DrawFn) -> r.AskRow:
    """One or two pod sets, perhaps elastic, perhaps near each other."""
    sets = []
    for i in range(draw(st.integers(1, 2))):
        pods = draw(st.integers(1, 3))
        least = draw(st.one_of(st.none(), st.integers(1, pods)))
        required = draw(st.sampled_from(["", "", "rack"]))
        sets.append(r.PodSetRow(f"s{i}", draw(shapes()), pods, least, required))
    return r.AskRow(tuple(sets))


@cache
@st.composite
def nodes(draw: st.DrawFn, pools: Sequence[str] = POOLS) -> r.NodeRow:
    """A node of a few cores and devices; the name is set by whoever uses it."""
    return r.NodeRow(
        "",
        draw(st.sampled_from(pools)),
        {"cpu": draw(st.integers(0, 8)) * 1000},
        domains={"rack": draw(st.sampled_from(["r1", "r2"]))},
        devices=(r.DeviceRow(GPU),) * draw(st.integers(0, 3)),
    )


@cache
@st.composite
def quotas(draw: st.DrawFn) -> r.QuotaRow:
    """Guaranteed ≤ deserved ≤ limit in CPU."""
    numbers = sorted(draw(st.lists(st.integers(0, 8), min_size=3, max_size=3)))
    guaranteed, deserved, limit = (n * 1000 for n in numbers)
    lendable = draw(st.one_of(st.none(), st.integers(0, guaranteed)))
    return r.QuotaRow(
        {"cpu": guaranteed},
        {"cpu": deserved} if draw(st.booleans()) else {},
        {"cpu": limit + 1000} if draw(st.booleans()) else {},
        {} if lendable is None else {"cpu": lendable},
    )


@cache
@st.composite
def queues(draw: st.DrawFn) -> list[r.QueueRow]:
    """A root and leaves, or only roots."""
    count = draw(st.integers(1, 3))
    tree = draw(st.booleans())
    made = [r.QueueRow("root", quotas={p: r.QuotaRow() for p in POOLS})] if tree else []
    for i in range(count):
        quota = {p: draw(quotas()) for p in POOLS if draw(st.booleans())}
        made.append(
            r.QueueRow(
                f"q{i}", "root" if tree else "", quota, strict=draw(st.booleans()),
                weight=draw(st.integers(1, 3)),
            )
        )  # fmt: skip
    return made


@cache
@st.composite
def rows(draw: st.DrawFn, most_gangs: int = 6) -> r.Rows:
    """A whole world with nobody running yet."""
    made = draw(queues())
    leaves = [q.name for q in made if q.name != "root"]
    kinds = draw(st.lists(asks(), min_size=1, max_size=3))
    count = draw(st.integers(1, most_gangs))
    gangs = [
        r.GangRow(
            f"g{i}", draw(st.sampled_from(leaves)), draw(st.sampled_from(kinds)),
            priority=draw(st.integers(0, 2)), created=float(draw(st.integers(0, 9_999))),
            preemptible=draw(st.booleans()),
            estimate=float(draw(st.sampled_from([60, 600, 6000]))),
            resize=draw(st.sampled_from([Resize.NEVER, Resize.LIVE, Resize.RESTART])),
        )
        for i in range(count)
    ]  # fmt: skip
    machines = [n._replace(name=f"n{i}") for i, n in enumerate(draw(st.lists(nodes(), max_size=3)))]
    return r.Rows(
        [r.PoolRow(p, ("rack",)) for p in POOLS], machines, made, gangs, resources=("cpu", GPU)
    )


def admit(rows: r.Rows, s: Snapshot, d: Decisions) -> r.Rows:
    """The world after the admissions: those gangs run where they were placed."""
    gangs = {g.name: g for g in rows.gangs}
    running = list(rows.running)
    for one in d.admitted:
        name = s.gangs.names[one.gang]
        gangs[name] = gangs[name]._replace(
            state=GangState.RUNNING, pool=s.pools.names[one.pool], started=d.now,
            expected_end=one.expected_end,
        )  # fmt: skip
        for i, placed in enumerate(one.placed):
            running += [
                r.RunningRow(name, i, s.nodes.names[node], devices, slot)
                for node, devices, slot in zip(
                    placed.nodes.tolist(), placed.devices.tolist(), placed.slots.tolist(),
                    strict=True,
                )
            ]  # fmt: skip
    for gone in d.evicted:
        name = s.gangs.names[gone.gang]
        gangs[name] = gangs[name]._replace(state=GangState.LEAVING)
    for moved in d.moved:
        name = s.gangs.names[moved.gang]
        running = [row for row in running if row.gang != name]
        for i, placed in enumerate(moved.placed):
            running += [
                r.RunningRow(name, i, s.nodes.names[node], devices, slot, rank)
                for rank, (node, devices, slot) in enumerate(
                    zip(placed.nodes.tolist(), placed.devices.tolist(), placed.slots.tolist(),
                        strict=True)
                )
            ]  # fmt: skip
        gangs[name] = gangs[name]._replace(resized=d.now)
    for less in d.shrunk:
        running = _shrunk(running, s.gangs.names[less.gang], less.counts)
    for name, awaits in zip(s.gangs.names, awaiting(d).tolist(), strict=True):
        gangs[name] = gangs[name]._replace(awaits=awaits)
    return rows._replace(gangs=list(gangs.values()), running=running, lost=())


def _shrunk(
    running: Sequence[r.RunningRow], name: str, counts: Sequence[int]
) -> list[r.RunningRow]:
    """The last ranks of a gang are told to go."""
    seen: dict[int, int] = {}
    found = []
    for row in running:
        if row.gang == name:
            rank = seen.get(row.pod_set, 0)
            seen[row.pod_set] = rank + 1
            found.append(row._replace(leaving=rank >= counts[row.pod_set]))
        else:
            found.append(row)
    return found


def less(rows: r.Rows, name: str, counts: Sequence[int]) -> r.Rows:
    """The world after a gang has shrunk."""
    marked = _shrunk(rows.running, name, counts)
    return rows._replace(running=[row for row in marked if not row.leaving])


def leave(rows: r.Rows, gone: set[str], *, forever: bool) -> r.Rows:
    """The world after gangs have gone: finished, or back in line."""
    gangs = []
    for g in rows.gangs:
        if g.name not in gone:
            gangs.append(g)
        elif not forever:
            gangs.append(
                g._replace(state=GangState.WAITING, pool="", started=r.NAN, expected_end=r.NAN)
            )
    running = [row for row in rows.running if row.gang not in gone and not row.leaving]
    return rows._replace(gangs=gangs, running=running)


class Use(NamedTuple):
    """What runs, counted the slow way."""

    cpu: dict[str, int]
    devices: dict[tuple[str, int], int]
    queues: dict[tuple[str, str], int]


def use(rows: r.Rows) -> Use:
    """CPU a node, thousandths a device, CPU a queue and pool (all queues above it too)."""
    gangs = {g.name: g for g in rows.gangs}
    parents = {q.name: q.parent for q in rows.queues}
    found = Use({}, {}, {})
    for pod in rows.running:
        gang = gangs[pod.gang]
        shape = gang.ask.pod_sets[pod.pod_set].shape
        cpu = dict(shape.request)["cpu"]
        found.cpu[pod.node] = found.cpu.get(pod.node, 0) + cpu
        for d in range(8):
            if pod.devices >> d & 1:
                key = pod.node, d
                found.devices[key] = found.devices.get(key, 0) + shape.milli
        queue = gang.queue
        while queue:
            at = queue, gang.pool
            found.queues[at] = found.queues.get(at, 0) + cpu
            queue = parents[queue]
    return found


def fits(nodes: Sequence[r.NodeRow], ask: r.AskRow, pool: str, beside: Use | None = None) -> bool:
    """Whether the least of a gang fits: every way of placing every pod is tried.

    On empty nodes, or `beside` what is used of them.
    """
    pods = [s for s in ask.pod_sets for _ in range(s.pods if s.least is None else s.least)]
    cpu = [n.capacity["cpu"] for n in nodes]
    devices = [[1000] * len(n.devices) for n in nodes]
    racks: dict[str, str] = {}
    for i, node in enumerate(nodes if beside is not None else ()):
        cpu[i] -= beside.cpu.get(node.name, 0) if beside is not None else 0
        for d in range(len(devices[i])):
            devices[i][d] -= beside.devices.get((node.name, d), 0) if beside is not None else 0

    def ways(pod: r.PodSetRow, n: int) -> Iterator[tuple[int, ...]]:
        shape = pod.shape
        if nodes[n].pool != pool or cpu[n] < dict(shape.request)["cpu"]:
            return
        if (
            pod.required
            and racks.get(pod.name, nodes[n].domains["rack"]) != nodes[n].domains["rack"]
        ):
            return
        if not shape.kind:
            yield ()
            return
        free = [d for d, left in enumerate(devices[n]) if left >= shape.milli]
        yield from itertools.combinations(free, shape.devices)

    def place(at: int) -> bool:
        if at == len(pods):
            return True
        pod = pods[at]
        for n in range(len(nodes)):
            for taken in ways(pod, n):
                first = pod.required and pod.name not in racks
                cpu[n] -= dict(pod.shape.request)["cpu"]
                for d in taken:
                    devices[n][d] -= pod.shape.milli
                if first:
                    racks[pod.name] = nodes[n].domains["rack"]
                if place(at + 1):
                    return True
                if first:
                    del racks[pod.name]
                cpu[n] += dict(pod.shape.request)["cpu"]
                for d in taken:
                    devices[n][d] += pod.shape.milli
        return False

    return place(0)


def snapshot(rows: r.Rows) -> Snapshot:
    """The world as the core sees it."""
    return build(rows)
