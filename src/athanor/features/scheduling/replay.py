"""What the cluster remembers, to be played again, and beside it what really happened.

Every gang that has run (see `record`) comes when it came, on empty nodes as they were then (see
`fleet`), and needs as long as it needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from athanor.api.core import ConfigMap, Node, Pod
from athanor.api.scheduling import Gang, GangStatus
from athanor.features.scheduling import fleet, gangs, record
from athanor.features.scheduling.core.decisions import Policy
from athanor.features.scheduling.core.simulate import Fate, Scenario, Story, measured
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import Ints, floats
from athanor.features.scheduling.record import Past
from athanor.features.scheduling.scenario import Objects, observed
from athanor.kit.times import parse_rfc3339

EPOCH = "1970-01-01T00:00:00Z"


class Replay(NamedTuple):
    """What to play, and what really happened: a story without points, for nobody drew it.

    Of `unknown` gangs nobody knows when they began. `on_todays`: on the nodes that are there now,
    for nobody remembers others.
    """

    scenario: Scenario
    recorded: Story
    unknown: int
    on_todays: bool


def history(
    objects: Objects, policy: Policy, now: float, records: Sequence[ConfigMap] = ()
) -> Replay:
    """All that has run and is still remembered. Raises ValueError when nothing has."""
    there = [past for gang in _gangs(objects) if (past := record.past_of(gang, now)) is not None]
    known = {past.gang.metadata.uid: past for past in (*record.remembered(records), *there)}
    if not known:
        raise ValueError("no gang that has run is remembered; without --history what is, is played")
    by_name = {gangs.key_of(gang): past for past in known.values()
               for gang in (_as_submitted(past.gang),)}  # fmt: skip
    ends = [parse_rfc3339(run.ended_at) for past in known.values() for run in past.runs]
    came = [parse_rfc3339(past.gang.metadata.creation_timestamp or EPOCH)
            for past in known.values()]  # fmt: skip
    nodes = fleet.there(records, min(came), max(ends, default=now))
    fresh = [_as_submitted(by_name[name].gang) for name in sorted(by_name)]
    machines = nodes or objects.get(Node, ())
    s = observed({**objects, Node: machines, Gang: fresh, Pod: ()}).snapshot
    pasts = [by_name[name] for name in s.gangs.names]
    if not pasts:
        raise ValueError("no gang that is remembered could be submitted today; see athanor why")
    start = float(s.gangs.created.min()) - 1.0
    scenario = Scenario(
        snapshot=s, policy=policy, start=start, work=floats(past.ran for past in pasts)
    )
    running = {past.gang.metadata.uid for past in there if not past.gang.status.finished_at}
    fates = tuple(
        _fate(g, float(s.gangs.created[g]), past, past.gang.metadata.uid in running)
        for g, past in enumerate(pasts)
    )
    columns = measured(s)
    capacity = (s.nodes.capacity - s.nodes.foreign)[:, columns]
    story = Story(
        start=start, end=max(ends, default=start), fates=fates, points=(),
        used_seconds=sum(_size(s, g, columns) * _held(past) for g, past in enumerate(pasts)),
        capacity=float(capacity.sum()) or 1.0, cycles=0, stuck=0,
    )  # fmt: skip
    return Replay(scenario, story, sum(not past.runs for past in pasts), not nodes)


def _fate(gang: int, created: float, past: Past, is_running: bool) -> Fate:
    """What became of a gang."""
    if not past.runs:
        return Fate(gang, created, math.nan, math.nan, past.evictions)
    began, end = past.runs[0].admitted_at, past.runs[-1].ended_at
    return Fate(
        gang, created, parse_rfc3339(began), math.nan if is_running else parse_rfc3339(end),
        past.evictions,
    )  # fmt: skip


def _held(past: Past) -> float:
    """Seconds in which a gang held its places."""
    spans = [parse_rfc3339(run.ended_at) - parse_rfc3339(run.admitted_at) for run in past.runs]
    return sum(max(span, 0.0) for span in spans)


def _size(s: Snapshot, gang: int, columns: Sequence[int]) -> float:
    """What a gang at its full size takes of what is measured."""
    klass = int(s.gangs.klass[gang])
    rows = slice(int(s.classes.first[klass]), int(s.classes.first[klass + 1]))
    each: Ints = s.shapes.request[s.pod_sets.shape[rows]][:, columns].sum(axis=1)
    return float((s.pod_sets.count[rows] * each).sum())


def _gangs(objects: Objects) -> Iterable[Gang]:
    return (gang for gang in objects.get(Gang, ()) if isinstance(gang, Gang))


def _as_submitted(gang: Gang) -> Gang:
    """Under a name of its own: others of the same name may have come after it."""
    spec = msgspec.structs.replace(gang.spec, suspend=False, outcome=None)
    name = f"{gang.metadata.name}.{gang.metadata.uid}"
    meta = msgspec.structs.replace(gang.metadata, name=name, deletion_timestamp=None)
    return msgspec.structs.replace(gang, metadata=meta, spec=spec, status=GangStatus())
