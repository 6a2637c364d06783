"""Small scheduling worlds as text a person can judge: things, then `decide`, then what happens.

    pool p levels=rack                      node a cpu=8 gpu=4 rack=r1 pool=p
    queue q parent=root strict guaranteed=4 deserved=6 limit=8 lendable=2 weight=3 (in cores)
    gang x queue=q pods=3 cpu=4 gpu=1 milli=500 least=2 required=rack priority=5 age=20 runs=60
    running y … on=a,a age=100 ends=50      leaving y … on=a
    node b cpu=8 down
    queue q pools=own:60,cloud budget=5 (GPU-hours left) longest=3600 user=2 reserve=600
    gang x … resize=live|restart user=ann longest=60        lost y ranks=1,2
    node d gpu=4 model=A100 memory=40    gang x gpu=1 model=H100 memory=80 (GiB a device)
    gang x pods=4 spread=rack:1 (DoNotSchedule, maxSkew)
    node c cost=2 (an hour) data=photos     gang x data=photos,words
    kept r nodes=c for=q spares
    help x          (its place, who holds what it lacks, what would let it start now)
    simulate nodes=a+1 gone=b times=2

Cores and devices; ages and times in seconds from now. One pool `p` exists unless others do.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.features.scheduling import nodes, pods
from athanor.features.scheduling.core import alter, position, whatif
from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.measure import measures
from athanor.features.scheduling.core.simulate import Scenario, play
from athanor.features.scheduling.core.snapshot import (
    Decisions,
    GangState,
    Policy,
    Resize,
    Snapshot,
)
from athanor.features.scheduling.core.table import floats
from athanor.features.scheduling.nodes import NodeClass

NOW = 1_000_000.0
GPU = "nvidia.com/gpu"

RESIZE = {"": Resize.NEVER, "live": Resize.LIVE, "restart": Resize.RESTART}

Words = dict[str, str]


def run(script: str) -> str:
    """The script with what happens after each `decide` filled in."""
    told: list[str] = []
    things: list[tuple[str, str, Words]] = []
    for line in script.strip().splitlines():
        if line.startswith("→"):
            continue
        told.append(line)
        if line.strip() == "decide":
            told += [f"→ {said}" for said in decide(things)]
        elif line.startswith("help "):
            told += [f"→ {said}" for said in helps(things, line.split()[1])]
        elif line.startswith("simulate"):
            told += [f"→ {said}" for said in simulated(things, line.split()[1:])]
        elif line.strip():
            kind, name, *rest = line.split()
            said = dict(word.split("=", 1) if "=" in word else (word, "yes") for word in rest)
            things = [t for t in things if t[1] != name or (kind == "lost") != (t[0] == "lost")]
            if kind != "gone":
                things.append((kind, name, said))
    return "\n".join(told) + "\n"


def helps(things: list[tuple[str, str, Words]], name: str) -> Iterator[str]:
    """A waiting gang's place, who holds what it lacks, and what would let it start now."""
    s = _snapshot(things)
    d, _ = cycle(s, Policy(), NOW)
    g = s.gangs.names.index(name)
    at = position.position(s, d, g)
    if at is not None:
        yield f"{name} has place {at.place} of {at.waiting} in {s.queues.names[at.queue]}"
    lacks = position.scarce(s, d, g)
    if lacks is not None:
        held = position.held_by(s, position.holders(s, d, *lacks), lacks[1]) or "nobody"
        yield f"{s.resources[lacks[1]]} of pool {s.pools.names[lacks[0]]} is used by {held}"
    asker = whatif.Asker(Policy())
    for change in whatif.changes(s, d, g, asker, range(len(s.queues.names))):
        yield f"{change.kind} {change.value}: {change.text}"


def simulated(things: list[tuple[str, str, Words]], changes: list[str]) -> Iterator[str]:
    """Waits and use as it is and with changes: `nodes=like+2`, `gone=a`, `times=2`."""
    s = _snapshot(things)
    work = floats(
        end - NOW if end == end else run
        for end, run in zip(s.gangs.expected_end, s.gangs.estimate, strict=True)
    )
    before = after = Scenario(snapshot=s, policy=Policy(), start=NOW, work=work)
    for word in changes:
        kind, _, value = word.partition("=")
        like, _, count = value.partition("+")
        after = {
            "nodes": lambda a, like=like, count=count: alter.more_nodes(a, like, int(count)),
            "gone": lambda a, value=value: alter.fewer_nodes(a, [value]),
            "times": lambda a, value=value: alter.arrivals(a, int(value)),
        }[kind](after)
    for name, one in (("as it is", before), ("changed", after)):
        told = measures(one, play(one))
        yield (
            f"{name}: {told.started} of {told.gangs} start, mean wait {told.wait_mean:g} s,"
            f" {100 * told.used:.0f} % in use, all over after {told.makespan:g} s"
        )


def decide(things: list[tuple[str, str, Words]]) -> Iterator[str]:
    """One cycle, in sentences."""
    s = _snapshot(things)
    d, _ = cycle(s, Policy(), NOW)
    yield from _decided(s, d)


def _snapshot(things: list[tuple[str, str, Words]]) -> Snapshot:
    pools = [r.PoolRow(n, tuple(filter(None, w.get("levels", "").split(","))))
             for kind, n, w in things if kind == "pool"] or [r.PoolRow("p")]  # fmt: skip
    machines = [(n, w) for kind, n, w in things if kind == "node"]
    gangs = [(kind, n, w) for kind, n, w in things if kind in ("gang", "running", "leaving")]
    of_node = [_class(w) for _, w in machines]
    classes = list(dict.fromkeys(of_node))
    rows = r.Rows(
        pools,
        [_node(n, w, pools)._replace(klass=classes.index(klass))
         for (n, w), klass in zip(machines, of_node, strict=True)],
        [_queue(n, w, pools) for kind, n, w in things if kind == "queue"],
        [_gang(kind, n, w, classes) for kind, n, w in gangs],
        [row for _, n, w in gangs for row in _running(n, w, things)],
        [r.LostRow(n, 0, rank) for n in dict.fromkeys(n for _, n, _ in gangs)
         for rank in _lost(n, things)],
        [_kept(n, w, pools) for kind, n, w in things if kind == "kept"],
        resources=("cpu", GPU), node_classes=max(len(classes), 1),
    )  # fmt: skip
    return build(rows)


def _class(w: Words) -> NodeClass:
    """What decides whether a node suits: whose data it has, and what it costs."""
    held = pods.cached("default", _data(w))
    labels = [(label, "yes") for _, terms in held for term in terms for label, _, _ in term]
    labels += [(nodes.COST, w["cost"])] if "cost" in w else []
    return NodeClass(True, False, (), frozenset(labels))


def _data(w: Words) -> list[str]:
    return [*filter(None, w.get("data", "").split(","))]


def _decided(s: Snapshot, d: Decisions) -> Iterator[str]:
    for one in d.admitted:
        where = [s.nodes.names[n] for placed in one.placed for n in placed.nodes.tolist()]
        masks = [m for placed in one.placed for m in placed.devices.tolist()]
        told = " ".join(f"{n}[{m:b}]" if m else n for n, m in zip(where, masks, strict=True))
        yield f"{s.gangs.names[one.gang]} starts on {told}"
    for gone in d.evicted:
        yield f"{s.gangs.names[gone.gang]} has to go: {gone.reason}, {gone.message}"
    for less in d.shrunk:
        yield f"{s.gangs.names[less.gang]} has to shrink: {less.message}"
    for move in d.moved:
        names = " ".join(s.nodes.names[n] for p in move.placed for n in p.nodes.tolist())
        yield (
            f"{s.gangs.names[move.gang]} has {move.message}, now on {names}"
            if (move.reason == "Replaced")
            else f"{s.gangs.names[move.gang]} {move.message}, now on {names}"
        )
    for held in d.held:
        yield f"{s.gangs.names[held.gang]} is promised its place in {held.start - NOW:g} s"
    for g, name in enumerate(s.gangs.names):
        for why in d.why(g):
            yield f"{name} waits: {why.code}: {why.message}"


def _running(name: str, w: Words, things: list[tuple[str, str, Words]]) -> Iterator[r.RunningRow]:
    gone = _lost(name, things)
    stay = int(w.get("stay", "999"))
    for rank, node in enumerate(filter(None, w.get("on", "").split(","))):
        if rank not in gone:
            mask = int(w.get("devices", "0"), 2)
            yield r.RunningRow(name, 0, node, mask, rank=rank, leaving=rank >= stay)


def _lost(name: str, things: list[tuple[str, str, Words]]) -> list[int]:
    """The ranks of a gang that lost their node."""
    said = next((w["ranks"] for kind, n, w in things if (kind, n) == ("lost", name)), "")
    return [int(rank) for rank in filter(None, said.split(","))]


def _kept(name: str, w: Words, pools: list[r.PoolRow]) -> r.ReservationRow:
    amounts = {"cpu": int(w["cpu"]) * 1000} if "cpu" in w else {}
    return r.ReservationRow(
        name, tuple(filter(None, w.get("nodes", "").split(","))), (w["for"],),
        NOW + float(w.get("from", "-inf")), NOW + float(w.get("until", "inf")),
        pools[0].name if amounts else "", amounts, "spares" in w,
    )  # fmt: skip


def _node(name: str, w: Words, pools: list[r.PoolRow]) -> r.NodeRow:
    levels = {level for pool in pools for level in pool.levels}
    device = r.DeviceRow(GPU, w.get("model", ""), int(w.get("memory", "0")) * 1024)
    return r.NodeRow(
        name, w.get("pool", pools[0].name), {"cpu": int(w.get("cpu", "8")) * 1000},
        domains={level: w[level] for level in levels if level in w},
        devices=(device,) * int(w.get("gpu", "0")),
        retry_at=r.INF if "down" in w else -r.INF,
    )  # fmt: skip


def _queue(name: str, w: Words, pools: list[r.PoolRow]) -> r.QueueRow:
    def amounts(word: str) -> dict[str, int]:
        return {"cpu": int(w[word]) * 1000} if word in w else {}

    quota = r.QuotaRow(*(amounts(x) for x in ("guaranteed", "deserved", "limit", "lendable")))
    order = [one.partition(":") for one in w["pools"].split(",")] if "pools" in w else []
    quotas = {pool: quota._replace(spill_after=float(after or 0)) for pool, _, after in order}
    return r.QueueRow(
        name, w.get("parent", ""), quotas or {pool.name: quota for pool in pools},
        strict="strict" in w, weight=int(w.get("weight", "1")),
        min_runtime=float(w.get("safe", "0")), max_runtime=float(w.get("longest", "inf")),
        user_limit={"cpu": int(w["user"]) * 1000} if "user" in w else {},
        budget_left=float(w.get("budget", "inf")),
    )  # fmt: skip


def _gang(kind: str, name: str, w: Words, classes: list[NodeClass]) -> r.GangRow:
    gpus = int(w.get("gpu", "0"))
    shape = r.ShapeRow(
        request=(("cpu", int(w.get("cpu", "1")) * 1000),), kind=GPU if gpus else "",
        devices=gpus, milli=int(w.get("milli", "1000")), barred=(0,) * max(len(classes), 1),
        models=tuple(w.get("model", "").split()), min_mib=int(w.get("memory", "0")) * 1024,
    )  # fmt: skip
    need = pods.PodNeed(shape, pods.Where((), (), ()), pods.cached("default", _data(w)))
    count = int(w.get("pods", "1"))
    least = int(w["least"]) if "least" in w else None
    near = {x: w[x] for x in ("required", "preferred", "slice_level") if x in w}
    one = r.PodSetRow("worker", shape, count, least, **near, balanced="balanced" in w)
    one = one._replace(slice_size=int(w.get("slice", "0")), prefer=pods.prefer(need, classes))
    if "spread" in w:
        level, skew = w["spread"].split(":")
        one = one._replace(spreads=(r.SpreadRow(level, int(skew)),))
    ask = r.AskRow((one,), within=w.get("within", ""))
    age = float(w.get("age", "10"))
    state = {"gang": GangState.WAITING, "running": GangState.RUNNING}.get(kind, GangState.LEAVING)
    return r.GangRow(
        name, w["queue"], ask, state, int(w.get("priority", "0")), NOW - age,
        preemptible="firm" not in w, estimate=float(w.get("runs", w.get("longest", "nan"))),
        pool=w.get("pool", "") if kind == "gang" else w.get("pool", "p"),
        started=NOW - age if kind != "gang" else r.NAN,
        expected_end=NOW + float(w["ends"]) if "ends" in w else r.NAN,
        saved=NOW - float(w["saved"]) if "saved" in w else r.NAN,
        limit=float(w.get("longest", "inf")), resize=RESIZE[w.get("resize", "")],
        restart_cost=float(w.get("restart", "0")), user=w.get("user", ""),
    )  # fmt: skip
