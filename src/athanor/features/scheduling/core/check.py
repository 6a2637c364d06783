"""The invariants, checked in every cycle, never by `assert`: a broken one stops the cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from athanor.features.scheduling.core.ledger import BrokenLedger
from athanor.features.scheduling.core.snapshot import Admit, Eviction, GangState, Move, Shrink
from athanor.features.scheduling.core.state import State


def invariants(state: State, admitted: Sequence[Admit], evicted: Sequence[Eviction]) -> None:
    """Raise BrokenLedger when a decision would break a promise of the scheduler.

    Nothing is placed twice, no free capacity falls below zero by what was placed, gangs are
    whole, limits hold for what was admitted, nobody is told to go twice or while starting.
    """
    seen: set[int] = set()
    touched: set[int] = set()
    for admit in admitted:
        if admit.gang in seen or admit.gang in state.held:
            raise BrokenLedger(f"gang {state.snapshot.gangs.names[admit.gang]} placed twice")
        seen.add(admit.gang)
        for ask, placed in zip(state.ask(admit.gang).sets, admit.placed, strict=True):
            if not ask.least <= len(placed.nodes) <= ask.pods:
                raise BrokenLedger(f"gang {state.snapshot.gangs.names[admit.gang]} is not whole")
            touched.update(placed.nodes.tolist())
    rows = np.array(sorted(touched), dtype=np.int64)
    ledger = state.now.ledger
    if (ledger.free[rows] < 0).any():
        _check_shrunk(state, admitted)
    if ((ledger.milli[rows] < 0) & (ledger.nodes.kind[rows] >= 0)).any() and (
        ledger.milli[rows] < -1
    ).any():
        raise BrokenLedger("a device is given twice")
    _limits(state, admitted)
    gone = [e.gang for e in evicted]
    leaving = state.snapshot.gangs.state == GangState.LEAVING
    lost = set(state.snapshot.lost.gang.tolist())
    if len(set(gone)) != len(gone) or any(
        leaving[g] or (g not in state.held and g not in lost) for g in gone
    ):
        raise BrokenLedger("a gang is evicted that does not run")


def resized(state: State, moved: list[Move], shrunk: list[Shrink]) -> None:
    """Raise BrokenLedger when a gang would become too small or too large, or change twice."""
    sizes = [(one.gang, tuple(len(placed.nodes) for placed in one.placed)) for one in moved]
    sizes += [(one.gang, one.counts) for one in shrunk]
    seen: set[int] = set()
    for gang, counts in sizes:
        name = state.snapshot.gangs.names[gang]
        if gang in seen or gang in state.released:
            raise BrokenLedger(f"gang {name} is changed twice")
        seen.add(gang)
        for one, count in zip(state.ask(gang).sets, counts, strict=True):
            if not one.least <= count <= one.pods:
                raise BrokenLedger(f"gang {name} would not be whole")


def _check_shrunk(state: State, admitted: Sequence[Admit]) -> None:
    """Free may be below zero only where a node shrank under what runs on it."""
    ledger = state.now.ledger
    for admit in admitted:
        for ask, placed in zip(state.ask(admit.gang).sets, admit.placed, strict=True):
            asked = np.array(ask.shape.request) > 0
            if (ledger.free[placed.nodes][:, asked] < 0).any():
                raise BrokenLedger(
                    f"gang {state.snapshot.gangs.names[admit.gang]} is given what is not free"
                )


def _limits(state: State, admitted: Sequence[Admit]) -> None:
    tree = state.now.tree
    for admit in admitted:
        queue = int(state.snapshot.gangs.queue[admit.gang])
        amounts = state.ask(admit.gang).amounts(tuple(len(p.nodes) for p in admit.placed))
        for q in tree.path[queue]:
            over = (amounts > 0) & (tree.use[q, admit.pool] > tree.limit[q, admit.pool])
            if over.any():
                raise BrokenLedger(f"queue {state.snapshot.queues.names[q]} passes its limit")
