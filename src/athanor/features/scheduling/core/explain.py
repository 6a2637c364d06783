"""Phase 7, why: for everyone left the reasons in the order they bar, with their numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.features.scheduling.core.ledger import Ledger, Shape
from athanor.features.scheduling.core.place import place, undo
from athanor.features.scheduling.core.quota import THOUSANDTHS, Refusal
from athanor.features.scheduling.core.snapshot import UNSET, Cause, Why
from athanor.features.scheduling.core.spots import SetAsk
from athanor.features.scheduling.core.start import Barred
from athanor.features.scheduling.core.state import Ask, State
from athanor.features.scheduling.core.table import Ints, Smalls
from athanor.features.scheduling.core.why import Code, amount, why

CAUSES = {
    Cause.NOT_READY: "not ready",
    Cause.UNSCHEDULABLE: "cordoned",
    Cause.TAINT: "tainted",
    Cause.SELECTOR: "outside the node selector",
    Cause.AFFINITY: "outside the node affinity",
    Cause.OTHER_PODS: "excluded by pod (anti-)affinity",
    Cause.VOLUME: "out of reach of a volume",
    Cause.GIVEN_DEVICES: "cannot give a chosen device or a share of one",
}
WHOLE_DEVICES = (
    "only nodes of `athanor agent` give these: ask for whole devices, or for what a device plugin "
    "reports as a resource of its own (MIG slices, HAMi's GPUs)"
)
"""The way out where kubelets hand out the devices."""


class _Ground(NamedTuple):
    """Nodes of a pool for some shapes: how many there are, why some are closed, the taints of those
    that are closed by one, how many are left alone, what the eligible ones have free (a row a
    resource, least first), and in all (without those)."""

    nodes: int
    causes: dict[str, int]
    taints: str
    paused: int
    free: Ints
    total: list[int]


class Explainer:
    """Turns what barred gangs into sentences; `empty` is the cluster with nothing running."""

    def __init__(
        self, state: State, empty: Ledger, possible: dict[object, bool], absent: dict[object, str]
    ) -> None:
        self.state = state
        self.empty = empty
        self.known = possible
        self.absent = absent
        self._grounds: dict[object, _Ground] = {}

    def barred(self, gang: int, tries: list[Barred]) -> tuple[Why, ...]:
        """One reason for each pool that was tried, each said once."""
        found = [self._one(gang, b) for b in tries]
        if not found:
            return (why(Code.NO_POOL, "its queue uses none of the pools it asks for"),)
        return tuple(dict.fromkeys(found))

    def _one(self, gang: int, barred: Barred) -> Why:
        s = self.state.snapshot
        if not (s.nodes.pool == barred.pool).any():  # then numbers say nothing about the gang
            where = s.pools.names[barred.pool]
            return why(Code.NEVER_FITS, f"pool {where} has no nodes", pool=where, nodes=0)
        if barred.refusal:
            return self._refused(gang, barred.pool, barred.refusal)
        return self._no_place(gang, barred)

    def _refused(self, gang: int, pool: int, no: Refusal) -> Why:
        s = self.state.snapshot
        if no.code == Code.BUDGET_SPENT:
            return self._broke(no)
        resource = s.resources[no.resource]
        queue, where = s.queues.names[no.queue], s.pools.names[pool]

        def said(value: int) -> str:
            return f"{amount(resource, value, s.device_kinds)} {resource}"

        details: dict[str, int | str] = {
            "pool": where, "queue": queue, "resource": resource,
            "asked": no.asked, "used": no.used, "bound": no.bound,
        }  # fmt: skip
        if no.code == Code.QUEUE_LIMIT and no.asked > no.bound:
            text = f"asks for {said(no.asked)}, more than the limit of queue {queue}: "
            return why(Code.NEVER_FITS, text + said(no.bound), **details)
        if no.code == Code.QUEUE_LIMIT:
            text = f"queue {queue} uses {said(no.used)} of its limit of {said(no.bound)}"
        elif no.code == Code.USER_LIMIT:
            text = f"its user holds {said(no.used)} of {said(no.bound)} allowed in queue {queue}"
        elif no.code == Code.KEPT_FOR_OTHERS:
            if no.asked > no.bound:
                return why(Code.NEVER_FITS, self._too_big(said(no.asked), where, said(no.bound)),
                           **details)  # fmt: skip
            text = f"used or kept for other queues: {said(no.used)} of {said(no.bound)}"
        elif no.code == Code.RESERVED_FOR_OTHERS:
            text = f"used or reserved for others: {said(no.used)} of {said(no.bound)}"
        else:
            text = (
                f"gangs that cannot be preempted and guarantees take {said(no.used)}"
                f" of {said(no.bound)}"
            )
        return why(no.code, f"{text} in pool {where}; asks for {said(no.asked)}", **details)

    def _broke(self, no: Refusal) -> Why:
        """A budget does not cover the gang for as long as it may run."""
        queue = self.state.snapshot.queues.names[no.queue]
        asked, left = no.asked / THOUSANDTHS, no.bound / THOUSANDTHS
        text = (
            f"may cost {asked:g} GPU-hours, and {left:g} of queue {queue}'s budget are neither"
            " spent nor promised; a shorter maxRuntimeSeconds may help"
        )
        return why(Code.BUDGET_SPENT, text, queue=queue, asked=asked, left=left)

    @staticmethod
    def _too_big(asked: str, pool: str, bound: str) -> str:
        return f"asks for {asked}, but pool {pool} has {bound} in all"

    def _no_place(self, gang: int, barred: Barred) -> Why:
        state, pool = self.state, barred.pool
        ask = state.ask(gang)
        where = state.snapshot.pools.names[pool]
        if barred.code == Code.RESERVED_FOR_OTHERS:
            text = f"pool {where} has room, but it is promised to others or reserved"
            return why(Code.RESERVED_FOR_OTHERS, text, pool=where)
        possible = self.possible(ask, pool)
        for one in ask.sets:
            room = self._room(state.now.ledger, one.shape, pool)
            bare = one.near.binds and self._room(self.empty, one.shape, pool) >= one.least
            if room < one.least and bare and not possible:
                return self._far(one, pool, possible=False)
            if room < one.least:
                return self._short(one, pool, room, possible=possible)
        if barred.code == Code.NOT_PROVEN:
            text = f"each pod set fits alone; whether all {sum(ask.least)} pods fit together in"
            text = f"{text} pool {where} was not found out within the budget of the search"
            return why(Code.NOT_PROVEN, text, pool=where, pods=sum(ask.least))
        for one in ask.sets:
            if one.near.binds:
                return self._far(one, pool, possible=possible)
        code = Code.GANG_SPLIT if possible else Code.NEVER_FITS
        text = f"each pod set fits alone, but not all {sum(ask.least)} pods together"
        return why(code, f"{text} in pool {where}", pool=where, pods=sum(ask.least))

    def possible(self, ask: Ask, pool: int) -> bool:
        """Whether the least of a gang fits bare nodes: else neither evictions nor ends help it."""
        key = ask.sets, pool
        if key not in self.known:
            before = self.empty.gave_up[0]
            alone = place(self.empty, ask.sets, ask.least, pool, self.state.levels(pool))
            if alone is not None:
                undo(self.empty, ask.sets, alone)
            self.known[key] = alone is not None or self.empty.gave_up[0] > before
        return self.known[key]

    def _short(self, one: SetAsk, pool: int, room: int, *, possible: bool) -> Why:
        """Too few nodes take a pod of this set: which, and for what cause."""
        s = self.state.snapshot
        where, name = s.pools.names[pool], s.pod_sets.names[one.row]
        ground = self._ground(one.shape, pool)
        causes = ground.causes
        lacking = self._lacking(one.shape, ground)
        named = {CAUSES[Cause.TAINT]: f": {ground.taints}"} if ground.taints else {}
        told = [f"{count} {cause}{named.get(cause, '')}" for cause, count in sorted(causes.items())]
        paused = ground.paused
        told += [f"{paused} left alone for a while after failures"] if paused else []
        told += [f"{count} lack {resource}" for resource, count in lacking]
        text = f"pod set {name}: room for {room} of {_some(one.least, 'pod')}"
        text += f" on {_some(ground.nodes, 'node')} of pool {where}" + (
            f" ({', '.join(told)})" if told else ""
        )
        details: dict[str, int | str] = {
            "pool": where, "podSet": name, "room": room, "asked": one.least, "nodes": ground.nodes,
            **{f"nodes {cause}": count for cause, count in causes.items()},
            **{f"nodes lacking {resource}": count for resource, count in lacking},
        }  # fmt: skip
        chosen = CAUSES[Cause.GIVEN_DEVICES]
        if not possible and chosen in causes:
            code = Code.NODES_EXCLUDED if len(causes) > 1 else Code.NEVER_FITS
            return why(code, f"{text}; {WHOLE_DEVICES}", **details)
        if not possible and not causes:
            sort = one.shape.devices.kind, one.shape.models, one.shape.min_mib, pool
            if sort not in self.absent:
                self.absent[sort] = self._absent(one.shape, pool)
            absent = self.absent[sort]
            text = f"{text}; {absent}" if absent else f"{text}; not even when it is empty"
            return why(Code.NEVER_FITS, text, **details)
        if not ground.free.shape[1] or (causes and not possible):
            return why(Code.NODES_EXCLUDED, text, **details)
        if all(ground.total[r] >= a * one.least for r, a in enumerate(one.shape.request) if a > 0):
            return why(Code.FRAGMENTED, f"{text}; enough is free, but in pieces", **details)
        return why(Code.NO_CAPACITY, text, **details)

    def _absent(self, shape: Shape, pool: int) -> str:
        """Which sort of device that is asked for no node of the pool has; "" if none."""
        s, want = self.state.snapshot, shape.devices
        if not want.needed:
            return ""
        there = (s.nodes.kind == want.kind) & (s.nodes.pool == pool)[:, None]
        kind, where = s.device_kinds[want.kind], s.pools.names[pool]
        if not there.any():
            return f"pool {where} has no {kind}"
        fits = there & np.append(np.array(shape.models, dtype=np.bool_), False)[s.nodes.model]
        if not fits.any() and not all(shape.models):
            asked = [name for name, right in zip(s.models, shape.models, strict=True) if right]
            found = [s.models[m] for m in np.unique(s.nodes.model[there]) if m != UNSET]
            text = f"pool {where} has no {kind} of model {' or '.join(asked)}"
            return (
                f"{text}, only {', '.join(found)}" if found else f"{text}; its models are unknown"
            )
        largest = int(s.nodes.memory[fits].max(initial=0))
        if largest < shape.min_mib:
            return (
                f"asks for {kind} of {amount('memory', shape.min_mib * 2**20, ())}"
                f" each, the largest of pool {where} has {amount('memory', largest * 2**20, ())}"
            )
        return ""

    def _far(self, one: SetAsk, pool: int, *, possible: bool) -> Why:
        s, near = self.state.snapshot, one.near
        level = near.required if near.required != UNSET else near.slice_level
        if level == UNSET:
            level = next((one.level for one in near.spreads if not one.soft), near.preferred)
        label = s.levels[level] if UNSET < level < len(s.levels) else "part"
        where, name = s.pools.names[pool], s.pod_sets.names[one.row]
        text = (
            f"pod set {name}: no {label} of pool {where} has room for its {_some(one.least, 'pod')}"
        )
        code = Code.TOPOLOGY if possible else Code.NEVER_FITS
        return why(code, text, pool=where, podSet=name, level=label, asked=one.least)

    def _ground(self, shape: Shape, pool: int) -> _Ground:
        """The nodes that the shape may use; the same for all shapes that may use the same."""
        ledger, nodes = self.state.now.ledger, self.state.snapshot.nodes
        key = pool, shape.barred, len(ledger.journal)
        known = self._grounds.get(key)
        if known is None:
            members = np.flatnonzero(nodes.pool == pool)
            barred = np.array(shape.barred)[nodes.klass[members]]
            counted = np.bincount(barred, minlength=len(Cause)).tolist()
            eligible = members[barred == 0]
            closed = ~ledger.open[eligible]
            free = np.ascontiguousarray(ledger.free[eligible].T)
            known = self._grounds[key] = _Ground(
                len(members), {CAUSES[c]: counted[c] for c in Cause if c and counted[c]},
                self._taints(nodes.klass[members[barred == Cause.TAINT]]), int(closed.sum()),
                np.sort(free, axis=1),
                np.maximum(free[:, ~closed], 0).sum(axis=1).tolist(),
            )  # fmt: skip
        return known

    def _taints(self, classes: Smalls) -> str:
        """The names of the taints of these node classes; "" for none, and where nobody knows."""
        names = self.state.snapshot.taints
        keys = {key for c in np.unique(classes) for key in names[c].split(",")} if names else set()
        return " and ".join(sorted(keys))

    def _lacking(self, shape: Shape, ground: _Ground) -> list[tuple[str, int]]:
        """How many of these nodes lack each resource for one pod."""
        short = [
            (self.state.snapshot.resources[r], int(ground.free[r].searchsorted(asked)))
            for r, asked in enumerate(shape.request)
            if asked > 0
        ]
        found = [pair for pair in short if pair[1]]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _room(self, ledger: Ledger, shape: Shape, pool: int) -> int:
        return ledger.view(shape, pool).total


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
