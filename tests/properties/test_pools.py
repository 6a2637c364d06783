"""Several pools: whom a queue's work pushes out, against asking each pool by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from athanor.features.scheduling.core import rows as r
from athanor.features.scheduling.core.build import build
from athanor.features.scheduling.core.cycle import cycle
from athanor.features.scheduling.core.snapshot import Decisions, GangState, Policy, Resize
from tests.properties.worlds import GPU, NOW

POOLS = ("own", "cloud")
ROOM = 4


def asks(pods: int, least: int | None = None, pools: tuple[str, ...] = ()) -> r.AskRow:
    """Pods of a core each."""
    shape = r.ShapeRow((("cpu", 1000),))
    return r.AskRow((r.PodSetRow("s", shape, pods, least),), pools)


@st.composite
def full(draw: st.DrawFn) -> r.Rows:
    """A node a pool, filled by gangs of low priority; some are elastic. One of high priority."""
    gangs: list[r.GangRow] = []
    running: list[r.RunningRow] = []
    for pool in POOLS:
        left = ROOM
        while left:
            pods = draw(st.integers(1, left))
            left -= pods
            elastic = pods > 1 and draw(st.booleans())
            name = f"g{len(gangs)}"
            gangs.append(
                r.GangRow(
                    name, "q", asks(pods, 1 if elastic else None), GangState.RUNNING,
                    draw(st.integers(0, 1)), NOW - 500.0, pool=pool,
                    started=NOW - draw(st.sampled_from([50.0, 50.0, 100.0, 400.0])),
                    resize=Resize.LIVE if elastic else Resize.NEVER,
                )
            )  # fmt: skip
            running += [r.RunningRow(name, 0, f"{pool}0", rank=k) for k in range(pods)]
    gangs.append(r.GangRow("vip", "q", asks(draw(st.integers(1, ROOM))), priority=5, created=NOW))
    quotas = {pool: r.QuotaRow() for pool in POOLS}
    return r.Rows(
        [r.PoolRow(pool) for pool in POOLS],
        [r.NodeRow(f"{pool}0", pool, {"cpu": ROOM * 1000}) for pool in POOLS],
        [r.QueueRow("q", quotas=quotas)], gangs, running, resources=("cpu", GPU),
    )  # fmt: skip


def asked(rows: r.Rows, pools: tuple[str, ...]) -> Decisions:
    """What is decided when the gang may go to these pools."""
    vip = rows.gangs[-1]
    one = vip._replace(ask=vip.ask._replace(pools=pools))
    s = build(rows._replace(gangs=[*rows.gangs[:-1], one]))
    return cycle(s, Policy(), NOW)[0]


def harm(rows: r.Rows, d: Decisions) -> tuple[bool, int, float]:
    """Who leaves as a whole: whether anybody, the highest priority, and core-seconds lost."""
    gone = [rows.gangs[one.gang] for one in d.evicted]
    lost = sum(one.ask.pod_sets[0].pods * (NOW - one.started) for one in gone)
    return bool(gone), max((one.priority for one in gone), default=0), lost


@given(full())
def test_room_is_made_where_it_harms_least_and_the_last_pool_gives_way_first(rows: r.Rows) -> None:
    made = asked(rows, POOLS)
    alone = {pool: asked(rows, (pool,)) for pool in POOLS}
    harms = {pool: harm(rows, d) for pool, d in alone.items()}
    where = {one.pool for one in made.held}
    assert len(where) == 1
    assert harm(rows, made) == min(harms.values())
    if harms["own"] == harms["cloud"]:
        assert where == {POOLS.index("cloud")}
