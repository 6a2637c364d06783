"""Changes of a scenario: nodes more or less, other quotas and rules of queues, more arrivals.

Each gives a new scenario; the old one stays. Raises Unknown for a name that nobody has.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from athanor.features.scheduling.core.simulate import Scenario
from athanor.features.scheduling.core.snapshot import GangState, QueueState, Snapshot
from athanor.features.scheduling.core.table import renewed, repeated

QUOTAS = ("guaranteed", "deserved", "limit", "lendable")
STATES = {state.name.lower(): state for state in QueueState}


class Unknown(ValueError):
    """A change names something that is not there; the message says what there is."""


def more_nodes(scenario: Scenario, like: str, count: int) -> Scenario:
    """`count` further nodes like a node (by name) or like the first of a pool, empty."""
    s = scenario.snapshot
    row = _node(s, like)
    rows = [row] * count
    columns: dict[str, object] = {}
    for one in fields(s.nodes):
        value = getattr(s.nodes, one.name)
        if one.name == "names":
            columns[one.name] = (*value, *(f"{value[row]}+{i + 1}" for i in range(count)))
        elif one.metadata["axes"].endswith("N"):
            columns[one.name] = np.concatenate([value, value[..., rows]], axis=-1)
        else:
            columns[one.name] = np.concatenate([value, value[rows]])
    nodes = renewed(s.nodes, columns)
    nodes = replace(nodes, foreign=_zeroed(nodes.foreign, len(s.nodes.names)))
    kept = s.reservations
    wider = np.concatenate([kept.nodes, np.zeros((len(kept.names), count), dtype=np.bool_)], axis=1)
    return replace(
        scenario,
        snapshot=replace(s, nodes=nodes, reservations=replace(kept, nodes=wider)),
    )


def fewer_nodes(scenario: Scenario, names: list[str]) -> Scenario:
    """Without these nodes (by name) or all of a pool; what runs there waits again."""
    s = scenario.snapshot
    gone = np.zeros(len(s.nodes.names), dtype=np.bool_)
    for name in names:
        if name in s.pools.names:
            gone |= s.nodes.pool == s.pools.names.index(name)
        else:
            gone[_node(s, name)] = True
    capacity = s.nodes.capacity.copy()
    capacity[gone], foreign = 0, _cleared(s.nodes.foreign, gone)
    healthy = s.nodes.healthy & ~gone[:, None]
    nodes = replace(s.nodes, capacity=capacity, foreign=foreign, healthy=healthy)
    hit = np.unique(s.running.gang[gone[s.running.node]])
    state = s.gangs.state.copy()
    state[hit] = GangState.WAITING
    stays = ~np.isin(s.running.gang, hit)
    pods = {f.name: getattr(s.running, f.name)[stays] for f in fields(s.running)}
    running = renewed(s.running, pods)
    gangs = replace(s.gangs, state=state)
    return replace(scenario, snapshot=replace(s, nodes=nodes, running=running, gangs=gangs))


def quota(scenario: Scenario, queue: str, what: str, pool: str, resource: str, to: int) -> Scenario:
    """Another guaranteed, deserved, limit or lendable, in the core's units."""
    s = scenario.snapshot
    q = _index(s.queues.names, queue, "queue")
    p, r = _index(s.pools.names, pool, "pool"), _index(s.resources, resource, "resource")
    if what not in QUOTAS:
        raise Unknown(f"{what!r} is no quota; there are {', '.join(QUOTAS)}")
    column = getattr(s.queues, what).copy()
    column[q, p, r] = to
    return replace(scenario, snapshot=replace(s, queues=renewed(s.queues, {what: column})))


def rule(scenario: Scenario, queue: str, what: str, to: str) -> Scenario:
    """Another weight, ordering (strict: yes or no) or state of a queue."""
    s = scenario.snapshot
    q = _index(s.queues.names, queue, "queue")
    column: np.ndarray
    if what == "weight" and to.isdecimal() and int(to) > 0:
        column = s.queues.weight.copy()
        column[q] = int(to)
    elif what == "strict" and to in ("yes", "no"):
        column = s.queues.strict.copy()
        column[q] = to == "yes"
    elif what == "state" and to in STATES:
        column = s.queues.state.copy()
        column[q] = STATES[to]
    else:
        raise Unknown(f"{what}={to}: a queue has weight=N, strict=yes|no, state={'|'.join(STATES)}")
    return replace(scenario, snapshot=replace(s, queues=renewed(s.queues, {what: column})))


def policy(scenario: Scenario, what: str, to: str) -> Scenario:
    """Another value of a field of the policy."""
    known = {f.name: type(getattr(scenario.policy, f.name)) for f in fields(scenario.policy)}
    if what not in known:
        raise Unknown(f"the policy has no {what!r}; it has {', '.join(known)}")
    try:
        value = known[what](to)
    except ValueError:
        raise Unknown(f"{what}={to}: a {known[what].__name__} is wanted") from None
    return replace(scenario, policy=scenario.policy.with_(**{what: value}))


def arrivals(scenario: Scenario, times: int) -> Scenario:
    """Everything that waits or comes, `times` times."""
    s = scenario.snapshot
    rows = np.flatnonzero(s.gangs.state == GangState.WAITING).tolist()
    again = [row for _ in range(times - 1) for row in rows]
    gangs = repeated(s.gangs, again)
    first = len(s.gangs.names)
    names = tuple(
        f"{name}+{i // max(len(rows), 1) + 1}" for i, name in enumerate(gangs.names[first:])
    )
    gangs = replace(gangs, names=s.gangs.names + names)
    work = np.concatenate([scenario.work, scenario.work[again]])
    return replace(scenario, snapshot=replace(s, gangs=gangs), work=work)


def _node(s: Snapshot, name: str) -> int:
    if name in s.pools.names:
        members = np.flatnonzero(s.nodes.pool == s.pools.names.index(name))
        if len(members):
            return int(members[0])
    return _index(s.nodes.names, name, "node")


def _index(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise Unknown(f"there is no {what} {name!r}; there are {some or 'none'}")
    return names.index(name)


def _zeroed(values: np.ndarray, first: int) -> np.ndarray:
    changed = values.copy()
    changed[first:] = 0
    return changed


def _cleared(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    changed = values.copy()
    changed[rows] = 0
    return changed
