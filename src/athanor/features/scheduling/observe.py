"""The caches as a Snapshot: everything the core looks at, and what belongs to whom.

What was read is kept and patched by the objects that changed since the last look. That is memory,
not state: an Observer that has seen nothing yet says the same of the same caches, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from athanor.api.core import (
    ConfigMap,
    LimitRange,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PriorityClass,
    ResourceQuota,
    StorageClass,
)
from athanor.api.scheduling import Gang, Pool, Queue, Reservation
from athanor.features.scheduling import (
    allotments,
    foreign,
    gangs,
    mounts,
    neighbours,
    rates,
    reservations,
    runtimes,
)
from athanor.features.scheduling.allotments import Allotments, Room
from athanor.features.scheduling.budgets import Meter
from athanor.features.scheduling.core.board import Entry
from athanor.features.scheduling.core.builder import Builder, Past
from athanor.features.scheduling.core.history import Paths
from athanor.features.scheduling.core.rows import AskRow, LostRow, ReservationRow, Rows
from athanor.features.scheduling.core.snapshot import Snapshot
from athanor.features.scheduling.core.table import Smalls
from athanor.features.scheduling.foreign import Foreign
from athanor.features.scheduling.gangs import Refused
from athanor.features.scheduling.given import Given
from athanor.features.scheduling.lay import Lay, Layer
from athanor.features.scheduling.machines import Machine, Machines
from athanor.features.scheduling.pods import PodNeed
from athanor.features.scheduling.queues import Problem
from athanor.features.scheduling.reservations import Ground
from athanor.features.scheduling.tenants import Tenants
from athanor.features.scheduling.wishes import Wishes
from athanor.runtime.cache import Cache, Key, News, World, key_of

WATCHED = (
    Gang, Queue, Pool, Reservation, Node, Pod, PriorityClass, PersistentVolumeClaim,
    PersistentVolume, StorageClass, Namespace, ResourceQuota, LimitRange, ConfigMap,
)  # fmt: skip


class Observed(Struct, frozen=True, kw_only=True):
    """The cluster as of now: the snapshot, and the objects its rows stand for.

    `unread` are refused because their request cannot be read: they are in no row. `failing` are
    the gangs with failures, `finished` those that ran and ended since the last look, by themselves
    or because they were deleted (at the first one: all that have ended and are there), `records`
    what is written down of the past. `told[g]` is
    the number that `tellings` gives to the codes of the reasons that gang g's status says,
    `kinds[g]` that of its kinds in `paths`. `open[pool]` of its nodes take kube-scheduler's pods,
    too; nodes that are `closed` take none at all: not ready, or cordoned. `labels` are those of
    nodes that somebody asks for.
    """

    snapshot: Snapshot
    gangs: Mapping[str, Gang]
    queues: Mapping[str, Queue]
    pools: Mapping[str, Pool]
    refused: Mapping[str, Refused]
    problems: Mapping[str, Problem]
    devices: frozenset[str]
    machines: Mapping[str, Machine] = {}
    labels: tuple[str, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = {}
    sharing: Mapping[str, str] = {}
    open: Mapping[str, int] = {}
    closed: frozenset[str] = frozenset()
    meters: Mapping[str, Meter] = {}
    ended: Mapping[str, Meter] = {}
    reservations: tuple[Reservation, ...] = ()
    given: Given | None = None
    ground: Ground
    rooms: Mapping[str, Room] = {}
    unread: Mapping[str, Refused] = {}
    failing: tuple[Gang, ...] = ()
    finished: tuple[Gang, ...] = ()
    records: tuple[ConfigMap, ...] = ()
    told: Smalls
    tellings: Mapping[tuple[str, ...], int]
    kinds: Smalls
    paths: Paths


Fresh = Mapping[type, list[Key]]
"""By kind, the keys of objects that changed."""


class Observer:
    """Reads the caches; keeps what it read. `past` is the last cycle's."""

    def __init__(self) -> None:
        self.past: Past | None = None
        self._sources: dict[type, tuple[Cache[Any], News]] = {}
        self._kept = _Kept()

    def __call__(self, world: World, key: Key) -> Observed | None:
        """The whole cluster; the key says nothing."""
        return self._kept.look(world, self._news(world), self.past)

    def _news(self, world: World) -> Fresh:
        """What changed; of caches never seen before that is everything."""
        for view in WATCHED:
            cache = world.cache(view)
            known = self._sources.get(view)
            if known is not None and known[0] is cache:
                continue
            if known is not None:
                self._kept, self._sources = _Kept(), {}
                return self._news(world)
            self._sources[view] = cache, cache.follow()
        return {view: news.take() for view, (_, news) in self._sources.items()}


class _Kept:
    """What was read of the caches, and what was made of it."""

    def __init__(self) -> None:
        self.tenants = Tenants()
        self.allotments = Allotments()
        self.barred: dict[str, Refused] = {}
        self.machines = Machines()
        self.builder = Builder()
        self.wishes = Wishes(frozenset())
        self.foreign = Foreign(frozenset())
        self.layer = Layer()
        self.gangs: dict[str, Gang] = {}
        self.aside: dict[str, Gang] = {}
        self.refused: dict[str, Refused] = {}
        self.meters: dict[str, Meter] = {}
        self.failing: dict[str, Gang] = {}
        self.coming: dict[str, Gang] = {}
        self.mounting: dict[str, Gang] = {}
        self.unread: set[str] = set()
        self.sharing: set[str] = set()
        self.lost: dict[str, tuple[LostRow, ...]] = {}
        self.finished: list[Gang] = []
        self.tellings: dict[tuple[str, ...], int] = {(): 0}
        self.paths = Paths()
        self._lay: tuple[tuple[object, ...], Lay] | None = None
        self._ground: tuple[tuple[object, ...], Ground] | None = None
        self._asks: tuple[Lay, int, dict[int, AskRow]] | None = None
        self._reserved: list[ReservationRow] = []
        self._pods = 0
        self._foreign = 0
        self._coming = 0

    def look(self, world: World, fresh: Fresh, past: Past | None) -> Observed:
        """Take the changes in, and say how things are."""
        tenants, machines, names = self.tenants, self.machines, self.machines.names
        anew = tenants.look(world, fresh)
        machines.look(
            world.cache(Node), fresh[Node], list(tenants.pools.values()),
            anew=tenants.pools_changed,
        )  # fmt: skip
        pod_keys = fresh[Pod]
        if machines.devices != self.wishes.devices:
            self.wishes, self.foreign = Wishes(machines.devices), Foreign(machines.devices)
            self._lay, self._asks = None, None
            anew, pod_keys = True, [key_of(pod) for pod in world.cache(Pod)]
        anew |= machines.names != names
        self.finished = []
        limited = self.allotments.look(world, fresh)
        self._take(world, fresh[Gang], pod_keys, anew=anew)
        for namespace in sorted(limited):
            self._allot(world, namespace)
        if fresh[PersistentVolumeClaim] or fresh[StorageClass]:
            self._again(world, [*self.mounting.items()])
        counted = rates.counted_by_memory(tenants.queues.values(), machines.devices)
        lay = self._laid(world, counted, fresh)
        self._gather(lay)
        ground = self._grounded(lay)
        reserved = sorted(world.cache(Reservation), key=lambda one: one.metadata.name)
        rows = [row for one in reserved if (row := reservations.row(one, ground)) is not None]
        if rows != self._reserved:
            self._reserved = rows
        snapshot, told, kinds = self.builder.snapshot(
            self._rows(lay, counted), self._asked(lay), past, tenants.bare
        )
        return Observed(
            snapshot=snapshot,
            gangs=self.gangs,
            queues=tenants.queues,
            pools=tenants.pools,
            refused=self.refused,
            problems=tenants.problems,
            devices=machines.devices,
            machines=machines.by_name,
            labels=lay.labels,
            namespaces=tenants.labels,
            sharing=machines.sharing,
            open=machines.open,
            closed=machines.closed,
            meters=self.meters,
            ended=self._ended(world) if past is None else {},
            finished=self._over(world, is_first=past is None),
            records=tuple(world.cache(ConfigMap)),
            reservations=tuple(reserved),
            given=lay.given,
            ground=ground,
            rooms=self.allotments.rooms,
            unread={name: self.refused[name] for name in sorted(self.unread)},
            failing=tuple(gang for _, gang in sorted(self.failing.items())),
            told=told,
            tellings=self.tellings,
            kinds=kinds,
            paths=self.paths,
        )

    def _rows(self, lay: Lay, counted: frozenset[str]) -> Rows:
        """All but the gangs, as rows."""
        devices = self.machines.devices
        return Rows(
            pools=self.tenants.pool_rows(devices, counted, lay.machines),
            nodes=lay.machines,
            queues=self.tenants.queue_rows(devices),
            lost=[row for name in sorted(self.lost) for row in self.lost[name]],
            reservations=self._reserved,
            resources=("cpu", "memory", "pods"),
            levels=lay.keys,
            taints=lay.taints,
            node_classes=max((row.klass for row in lay.machines), default=0) + 1,
        )

    def _take(
        self, world: World, changed: Iterable[Key], pod_keys: Iterable[Key], *, anew: bool
    ) -> None:
        """Gangs and pods that changed; `anew`: all gangs are read again. So are those whose
        namespace's ranges are others now.
        """
        cache = world.cache(Gang)
        names = {f"{key.namespace}/{key.name}": key for key in changed}
        if anew or self.allotments.ranged:
            names |= {name: key_of(gang) for name, gang in self.gangs.items()
                      if anew or gang.metadata.namespace in self.allotments.ranged}  # fmt: skip
        if anew:
            names |= {gangs.key_of(gang): key_of(gang) for gang in cache}
        holds: dict[str, bool] = {}
        adopts: dict[str, tuple[foreign.Adopted, ...]] = {}
        if names:
            self.gangs, self.refused = dict(self.gangs), dict(self.refused)
            self.meters = dict(self.meters)
        for name, key in names.items():
            gang = cache.get(key)
            self._part(name, gang)
            self._forget(name)
            holds[name] = gang is not None and gangs.holds(gang)
            if gang is None or not gangs.matters(gang):
                self.wishes.drop(name)
                self.builder.put(name, None)
                continue
            self._put(world, name, gang)
            if gang.spec.adopts:
                adopts[name] = foreign.adopted(gang)
        pod_keys = list(pod_keys)
        self._pods += bool(pod_keys)
        self._foreign += self.foreign.update(world.cache(Pod), pod_keys, holds, adopts)

    def _allot(self, world: World, namespace: str) -> None:
        """Judge a namespace's waiting gangs by its quotas."""
        mine = [gang for gang in self.gangs.values() if gang.metadata.namespace == namespace]
        room = self.allotments.measure(namespace, mine, world.cache(Pod))
        self.barred = {n: why for n, why in self.barred.items() if n in self.gangs}
        for gang in mine:
            name = gangs.key_of(gang)
            judged = room is not None and gangs.waits(gang)
            said = allotments.refusal(gang, room) if room is not None and judged else None
            if said != self.barred.get(name):
                self.barred.pop(name, None)
                if said is not None:
                    self.barred[name] = said
                self._again(world, [(name, gang)])

    def _again(self, world: World, some: Iterable[tuple[str, Gang]]) -> None:
        """Judge gangs anew that are what they were."""
        self.refused = dict(self.refused)
        for name, gang in some:
            self._forget(name)
            self._put(world, name, gang)

    def _over(self, world: World, *, is_first: bool) -> tuple[Gang, ...]:
        """Those who ended since the last look; at the first one all that are there."""
        return tuple(filter(gangs.is_past, world.cache(Gang)) if is_first else self.finished)

    def _part(self, name: str, gang: Gang | None) -> None:
        """Remember who is over, or gone, and has run; and who may yet go without coming back."""
        before = self.gangs.get(name) or self.aside.pop(name, None)
        if before is not None and (gang is None or gang.metadata.uid != before.metadata.uid):
            self.finished += [before] if gangs.has_run(before) else []
        elif before is not None and gang is not None and gangs.is_past(gang):
            self.finished.append(gang)
        if gang is not None and gangs.is_aside(gang):
            self.aside[name] = gang

    def _forget(self, name: str) -> None:
        for held in (self.gangs, self.refused, self.meters, self.failing, self.lost):
            held.pop(name, None)
        self.mounting.pop(name, None)
        self._coming += self.coming.pop(name, None) is not None
        self.unread.discard(name)
        self.sharing.discard(name)

    def _put(self, world: World, name: str, gang: Gang) -> None:
        """One gang as it is now."""
        self.gangs[name] = gang
        wish = self.wishes.put(name, self.allotments.filled(gang))
        refusal = (
            self.tenants.refusal(gang, wish.read) or self.barred.get(name) or gangs.backs_off(gang)
        )
        claims = mounts.named(wish.read.needs) if gangs.waits(gang) else ()
        if claims:
            self.mounting[name] = gang
            refusal = refusal or mounts.refusal(gang, claims, world)
        if refusal is not None:
            self.refused[name] = refusal
        if gang.status.failures:
            self.failing[name] = gang
        if neighbours.is_coming(gang):
            self.coming[name] = gang
            self._coming += 1
        needs, offers = wish.read.needs, self.machines.offers
        if not needs:
            self.builder.put(name, None)
            if refusal is not None:
                self.unread.add(name)
            return
        said = tuple(reason.code for reason in gang.status.reasons)
        asked, queue = AskRow((), (), gang.spec.within), self.tenants.queue_of(gang)
        self.builder.put(
            name,
            Entry(
                gangs.row(
                    gang, queue, asked, self.tenants.priorities, refusal, self.tenants.grace(gang)
                ),
                wish.number,
                tuple(gangs.running(gang, offers)),
                self.tellings.setdefault(said, len(self.tellings)),
                self.paths.number(runtimes.path_of(gang, queue, needs)),
            ),
        )  # fmt: skip
        if any(need.wishes.whole for need in needs):
            self.sharing.add(name)
        lost = sorted(gangs.lost(gang, offers))
        if lost:
            self.lost[name] = tuple(LostRow(name, index, rank) for index, rank in lost)
        made = self._meter(gang, needs)
        if made is not None:
            self.meters[name] = made

    def _meter(self, gang: Gang, needs: Sequence[PodNeed]) -> Meter | None:
        """What an admitted gang costs."""
        admission = gang.status.admission
        pool = self.tenants.pools.get(admission.pool) if admission is not None else None
        priced = rates.of_pool(pool, self.machines.devices) if pool is not None else {}
        return gangs.meter(gang, needs, priced)

    def _ended(self, world: World) -> dict[str, Meter]:
        """What finished gangs cost: asked for once, for what ended before this process began."""
        found = {}
        for gang in gangs.ended(world.cache(Gang)):
            needs = gangs.read(gang, self.machines.devices).needs
            made = self._meter(gang, needs) if needs else None
            found.update({gangs.key_of(gang): made} if made is not None else {})
        return found

    def _gather(self, lay: Lay) -> None:
        """Gangs whose pod sets share volumes that they will take are to be in one place."""
        for name in self.sharing:
            entry, gang, wish = self.builder.entries[name], self.gangs[name], self.wishes.of(name)
            level = gangs.within(gang, wish.read.needs, lay.needs)
            if entry.row.ask.within != level:
                row = entry.row._replace(ask=entry.row.ask._replace(within=level))
                self.builder.put(name, entry._replace(row=row))

    def _laid(self, world: World, counted: frozenset[str], fresh: Fresh) -> Lay:
        """Nodes and needs together, as long as neither changes what was made of them."""
        volumes = any(fresh[v] for v in (PersistentVolume, PersistentVolumeClaim, StorageClass))
        needs = self.wishes.needs()
        guarded = bool(self.foreign.guards)
        near = guarded or any(need.wishes.needed for need in needs)
        key = (
            self.machines.changes, self.wishes.changes, self._foreign, counted, self.tenants.levels,
            guarded, (self._pods, self._coming) if near else None,
        )  # fmt: skip
        known = self._lay
        taken = known is not None and known[1].given is not None and bool(fresh[Gang])
        if known is None or known[0] != key or (near and volumes) or taken:
            made = self.layer(
                world, self.machines.by_name, self.tenants.levels, needs, self.foreign.total,
                counted, self._beside(world.cache(Pod)) if near else None,
            )  # fmt: skip
            known = self._lay = key, made
        return known[1]

    def _beside(self, pods: Cache[Pod]) -> Iterator[Pod]:
        """The pods that there are, and those that gangs have places for."""
        yield from pods
        for name in sorted(self.coming):
            yield from neighbours.coming(self.coming[name], pods, self.machines.by_name)

    def _asked(self, lay: Lay) -> dict[int, AskRow]:
        """What each wish is, by its number."""
        known = self._asks
        if known is None or known[0] is not lay or known[1] != self.wishes.changes:
            asks = {one.number: one.ask(lay.needs) for one in self.wishes if one.read.needs}
            known = self._asks = lay, self.wishes.changes, asks
        return known[2]

    def _grounded(self, lay: Lay) -> Ground:
        """What reservations stand on."""
        tenants, machines = self.tenants, self.machines
        key = machines.changes, tuple(tenants.pools), tuple(tenants.queues)
        if self._ground is None or self._ground[0] != key:
            found = reservations.ground(machines.by_name.values(), tenants.pools, tenants.queues)
            self._ground = key, found
        return self._ground[1]
