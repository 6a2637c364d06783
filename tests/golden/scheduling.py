"""Small scheduling worlds as text a person can judge: things, then `decide`, then what happens.

    pool p levels=rack                      node a cpu=8 gpu=4 rack=r1 pool=p
    queue q parent=root strict guaranteed=4 deserved=6 limit=8 lendable=2 weight=3 (in cores)
    gang x queue=q pods=3 cpu=4 gpu=1 milli=500 least=2 required=rack priority=5 age=20 runs=60
    running y … on=a,a age=100 ends=50      leaving y … on=a

Cores and devices; ages and times in seconds from now. One pool `p` exists unless others do.
"""

from __future__ import annotations

from collections.abc import Iterator

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import GangState, Policy

NOW = 1_000_000.0
GPU = "nvidia.com/gpu"

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
        elif line.strip():
            kind, name, *rest = line.split()
            said = dict(word.split("=", 1) if "=" in word else (word, "yes") for word in rest)
            things = [t for t in things if t[:2] != (kind, name) and t[1] != name]
            if kind != "gone":
                things.append((kind, name, said))
    return "\n".join(told) + "\n"


def decide(things: list[tuple[str, str, Words]]) -> Iterator[str]:
    """One cycle, in sentences."""
    pools = [r.PoolRow(n, tuple(filter(None, w.get("levels", "").split(","))))
             for kind, n, w in things if kind == "pool"] or [r.PoolRow("p")]  # fmt: skip
    machines = [(n, w) for kind, n, w in things if kind == "node"]
    gangs = [(kind, n, w) for kind, n, w in things if kind in ("gang", "running", "leaving")]
    rows = r.Rows(
        pools,
        [_node(n, w, pools) for n, w in machines],
        [_queue(n, w, pools) for kind, n, w in things if kind == "queue"],
        [_gang(kind, n, w) for kind, n, w in gangs],
        [r.RunningRow(n, 0, node, int(w.get("devices", "0"), 2))
         for _, n, w in gangs for node in filter(None, w.get("on", "").split(","))],
        resources=("cpu", GPU),
    )  # fmt: skip
    s = build(rows)
    d, _ = cycle(s, Policy(), NOW)
    for one in d.admitted:
        nodes = [s.nodes.names[n] for placed in one.placed for n in placed.nodes.tolist()]
        masks = [m for placed in one.placed for m in placed.devices.tolist()]
        told = " ".join(f"{n}[{m:b}]" if m else n for n, m in zip(nodes, masks, strict=True))
        yield f"{s.gangs.names[one.gang]} starts on {told}"
    for gone in d.evicted:
        yield f"{s.gangs.names[gone.gang]} has to go: {gone.reason}, {gone.message}"
    for held in d.held:
        yield f"{s.gangs.names[held.gang]} is promised its place in {held.start - NOW:g} s"
    for g, name in enumerate(s.gangs.names):
        for why in d.why(g):
            yield f"{name} waits: {why.code}: {why.message}"


def _node(name: str, w: Words, pools: list[r.PoolRow]) -> r.NodeRow:
    levels = {level for pool in pools for level in pool.levels}
    return r.NodeRow(
        name, w.get("pool", pools[0].name), {"cpu": int(w.get("cpu", "8")) * 1000},
        domains={level: w[level] for level in levels if level in w},
        devices=(r.DeviceRow(GPU, w.get("model", "")),) * int(w.get("gpu", "0")),
    )  # fmt: skip


def _queue(name: str, w: Words, pools: list[r.PoolRow]) -> r.QueueRow:
    def amounts(word: str) -> dict[str, int]:
        return {"cpu": int(w[word]) * 1000} if word in w else {}

    quota = r.QuotaRow(*(amounts(x) for x in ("guaranteed", "deserved", "limit", "lendable")))
    return r.QueueRow(
        name, w.get("parent", ""), {pool.name: quota for pool in pools}, strict="strict" in w,
        weight=int(w.get("weight", "1")),
    )  # fmt: skip


def _gang(kind: str, name: str, w: Words) -> r.GangRow:
    gpus = int(w.get("gpu", "0"))
    shape = r.ShapeRow(
        request=(("cpu", int(w.get("cpu", "1")) * 1000),), kind=GPU if gpus else "",
        devices=gpus, milli=int(w.get("milli", "1000")),
    )  # fmt: skip
    pods = int(w.get("pods", "1"))
    least = int(w["least"]) if "least" in w else None
    near = {x: w[x] for x in ("required", "preferred") if x in w}
    ask = r.AskRow((r.PodSetRow("worker", shape, pods, least, **near),))
    age = float(w.get("age", "10"))
    state = {"gang": GangState.WAITING, "running": GangState.RUNNING}.get(kind, GangState.LEAVING)
    return r.GangRow(
        name, w["queue"], ask, state, int(w.get("priority", "0")), NOW - age,
        preemptible="firm" not in w, estimate=float(w.get("runs", "nan")),
        pool=w.get("pool", "") if kind == "gang" else w.get("pool", "p"),
        started=NOW - age if kind != "gang" else r.NAN,
        expected_end=NOW + float(w["ends"]) if "ends" in w else r.NAN,
        saved=NOW - float(w["saved"]) if "saved" in w else r.NAN,
    )  # fmt: skip
