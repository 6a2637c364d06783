"""Where a gang stands: its place in its queue's line, who holds what it wants, why it is here.

Asked for one gang at a time, from what the last cycle saw and decided; nothing is decided here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.quota import BORROWED, DESERVED, GUARANTEED, Tree
from athanor.features.scheduling.core.snapshot import UNSET, Decisions, GangState, Snapshot, Why
from athanor.features.scheduling.core.table import Bools, Ints
from athanor.features.scheduling.core.why import amount


class Position(NamedTuple):
    """`place` counts from 1 among the `waiting` gangs of the queue, in the order of its line."""

    queue: int
    place: int
    waiting: int


class Holder(NamedTuple):
    """What one queue (its descendants' not included) uses of a resource in a pool."""

    queue: int
    used: int
    guaranteed: int
    deserved: int


def in_line(snapshot: Snapshot, decisions: Decisions, queue: int) -> Ints:
    """Rows of the gangs that wait in a queue, in the order of its line."""
    line = decisions.line.astype(np.int64)
    mine = line[snapshot.gangs.queue[line] == queue]
    started = np.array([one.gang for one in decisions.admitted], dtype=np.int64)
    left: Ints = mine[~np.isin(mine, started)] if len(started) else mine
    return left


def position(snapshot: Snapshot, decisions: Decisions, gang: int) -> Position | None:
    """The place of a waiting gang; None for one that is in no line."""
    queue = int(snapshot.gangs.queue[gang])
    if snapshot.gangs.state[gang] != GangState.WAITING or queue == UNSET:
        return None
    line = in_line(snapshot, decisions, queue)
    found = np.flatnonzero(line == gang)
    if not len(found):
        return None
    return Position(queue, int(found[0]) + 1, len(line))


def holders(snapshot: Snapshot, decisions: Decisions, pool: int, resource: int) -> list[Holder]:
    """The queues that use a resource of a pool themselves, the largest user first."""
    queues = snapshot.queues
    own = decisions.use[:, pool, resource].copy()
    for q, parent in enumerate(queues.parent.tolist()):
        if parent != UNSET:
            own[parent] -= decisions.use[q, pool, resource]
    tree = Tree(snapshot)
    found = [
        Holder(
            int(q), int(own[q]), int(tree.guaranteed[q, pool, resource]),
            int(tree.deserved[q, pool, resource]),
        )
        for q in np.flatnonzero(own > 0)
    ]  # fmt: skip
    return sorted(found, key=lambda h: (-h.used, h.queue))


def scarce(snapshot: Snapshot, decisions: Decisions, gang: int) -> tuple[int, int] | None:
    """The (pool, resource) that a waiting gang lacks first, by the reasons it was given."""
    for why in decisions.why(gang):
        said = dict(why.details)
        pool = said.get("pool")
        if not isinstance(pool, str) or pool not in snapshot.pools.names:
            continue
        resource = said.get("resource")
        if not isinstance(resource, str):
            lacking = [k.removeprefix("nodes lacking ") for k in said if k.startswith("nodes lac")]
            resource = max(
                lacking, key=lambda r: (int(said[f"nodes lacking {r}"]), r),
                default=_dearest(snapshot, gang),
            )  # fmt: skip
        if resource in snapshot.resources:
            return snapshot.pools.names.index(pool), snapshot.resources.index(resource)
    return None


def _dearest(s: Snapshot, gang: int) -> str:
    """What a gang asks for of the rarest sort: devices, else cores."""
    klass = int(s.gangs.klass[gang])
    rows = slice(int(s.classes.first[klass]), int(s.classes.first[klass + 1]))
    asked = s.shapes.request[s.pod_sets.shape[rows]].sum(axis=0)
    kinds = [k for k in s.device_kinds if asked[s.resources.index(k)] > 0]
    return kinds[0] if kinds else "cpu"


def here(snapshot: Snapshot, decisions: Decisions, gang: int) -> tuple[Why, ...]:
    """Why a running gang is where it is, by what right, and what keeps it there."""
    running, gangs = snapshot.running, snapshot.gangs
    pool = int(gangs.pool[gang])
    nodes = running.node[running.gang == gang].astype(np.int64)
    if pool == UNSET or not len(nodes):
        return ()
    said = [_pool(snapshot, gang, pool), _near(snapshot, gang, pool, nodes)]
    if int(gangs.queue[gang]) != UNSET:
        said += [_claim(snapshot, decisions, gang, pool), *_safe(snapshot, gang, decisions.now)]
    return tuple(said)


def _pool(s: Snapshot, gang: int, pool: int) -> Why:
    queue, where = int(s.gangs.queue[gang]), s.pools.names[pool]
    wished = s.classes.pools[int(s.gangs.klass[gang])]
    order = list(wished) or _preferred(s, queue)
    rank = order.index(pool) + 1 if pool in order else 0
    whose = "it asked for" if wished else "its queue uses"
    if rank > 1:
        earlier = ", ".join(s.pools.names[p] for p in order[: rank - 1])
        text = f"pool {where}: choice {rank} of those {whose}; {earlier} could not take it then"
    elif rank:
        text = f"pool {where}: the first of those {whose}"
    else:
        text = f"pool {where}"
    return Why(code="Pool", message=text, details=(("choice", rank), ("pool", where)))


def _preferred(s: Snapshot, queue: int) -> list[int]:
    at = queue
    for _ in range(len(s.queues.names)):
        if at == UNSET:
            break
        named = np.flatnonzero(s.queues.preference[at] != UNSET)
        if len(named):
            return sorted(named.tolist(), key=lambda p: int(s.queues.preference[at, p]))
        at = int(s.queues.parent[at])
    return sorted(range(len(s.pools.names)), key=lambda p: (float(s.pools.cost[p]), p))


def _near(s: Snapshot, gang: int, pool: int, nodes: Ints) -> Why:
    distinct = np.unique(nodes)
    text = f"{_some(len(nodes), 'pod')} on {_some(len(distinct), 'node')}"
    details: dict[str, int | float | str] = {"pods": len(nodes), "nodes": len(distinct)}
    for level in s.pools.levels[pool]:
        domains = len(np.unique(s.nodes.domains[level, distinct]))
        details[f"domains of {s.levels[level]}"] = domains
        text += f", in {_some(domains, s.levels[level])}"
    rule = "spread over free nodes" if s.pools.spread[pool] else "where least is broken up"
    suited = _suited(s, gang, pool)
    if suited is not None:
        details["pods that it suits best"] = suited
        rule = f"{suited} where it suits best (preferred nodes and data, then cost), and {rule}"
    return Why(code="Nodes", message=f"{text}: {rule}", details=tuple(sorted(details.items())))


def _suited(s: Snapshot, gang: int, pool: int) -> int | None:
    """How many pods are on the nodes of the pool that suit them best; None: all nodes do alike."""
    found, differ = 0, False
    mine = s.running.gang == gang
    for row in np.unique(s.running.pod_set[mine]).tolist():
        klass, prefer = s.nodes.klass, s.pod_sets.prefer[row]
        worth = np.array(prefer)[klass] if prefer else np.zeros(len(klass), dtype=np.int64)
        may = (s.nodes.pool == pool) & (s.shapes.barred[s.pod_sets.shape[row]][klass] == 0)
        best = np.unique(worth[may])
        differ |= len(best) > 1
        taken = worth[s.running.node[mine & (s.running.pod_set == row)]]
        found += int((taken >= best[-1]).sum()) if len(best) else 0
    return found if differ else None


def _claim(s: Snapshot, decisions: Decisions, gang: int, pool: int) -> Why:
    queue = int(s.gangs.queue[gang])
    tree = Tree(s)
    tree.use = decisions.use
    asked: Bools = (_held(s, gang) > 0) & tree.covered[pool]
    tier = _tier(tree, queue, pool, asked)
    name = s.queues.names[queue]
    texts = {
        GUARANTEED: f"queue {name} is within its guarantee: nobody can reclaim this",
        BORROWED: f"queue {name} borrows: queues that use less than their right may reclaim it",
    }
    text = texts.get(tier, f"queue {name} is within what it deserves, above its guarantee")
    if not s.gangs.preemptible[gang]:
        text = f"it is not preemptible; {text}" if tier == GUARANTEED else "it is not preemptible"
    claims = {GUARANTEED: "guaranteed", BORROWED: "borrowed"}
    return Why(
        code="Claim", message=text, details=(("claim", claims.get(tier, "deserved")),)
    )  # fmt: skip


def _tier(tree: Tree, queue: int, pool: int, asked: Bools) -> int:
    """The claim that covers present use at every step of the way up."""
    if not asked.any():
        return BORROWED
    worst = GUARANTEED
    for q in tree.path[queue]:
        used = tree.use[q, pool]
        if (asked & (used > tree.deserved[q, pool])).any():
            return BORROWED
        if (asked & (used > tree.guaranteed[q, pool])).any():
            worst = DESERVED
    return worst


def _held(s: Snapshot, gang: int) -> Ints:
    rows = s.running.pod_set[s.running.gang == gang]
    total: Ints = s.shapes.request[s.pod_sets.shape[rows]].sum(axis=0)
    return total


def _safe(s: Snapshot, gang: int, now: float) -> list[Why]:
    """What protects it for a while, if something does."""
    least = float(s.queues.min_runtime[int(s.gangs.queue[gang])])
    left = least - (now - float(s.gangs.started[gang]))
    if np.isnan(left) or left <= 0:
        return []
    text = f"its queue lets everything run {least:g} s before it may be preempted"
    return [Why(code="Protected", message=text, details=(("seconds", least),))]


def held_by(s: Snapshot, held: list[Holder], resource: int) -> str:
    """Holders as a person reads them: `team-a 12 (4 of it borrowed), team-b 4`."""
    told = []
    for one in held:
        right = max(one.deserved, one.guaranteed)
        over = one.used - right if right and one.used > right else 0
        said = (
            f"{s.queues.names[one.queue]} {amount(s.resources[resource], one.used, s.device_kinds)}"
        )
        if over:
            said += f" ({amount(s.resources[resource], over, s.device_kinds)} of it borrowed)"
        told.append(said)
    return ", ".join(told)


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
