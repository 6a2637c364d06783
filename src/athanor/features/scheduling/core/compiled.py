"""The inner loops of the ledger, compiled: which nodes take a shape, how good they are, booking.

Imported only where numba is installed and the cluster is large (see `fast`). The rules are those of
`gpu`, `frag`, `score` and `ledger`, which stay the oracle: a property test holds both equal, bit
for bit. What makes it fast is that nodes with the same free devices share a *pattern*: what fits
into a pattern, what is left after, and how much of it is fragmented is computed once.

A *cell* is one device in 63 bits: sort (13), free MiB (24), taken slices (16), free thousandths
plus one (10); 0 is no usable device. A pattern is a row of cells, sorted when all are of one sort.
"""

from __future__ import annotations

import numpy as np

from athanor.features.scheduling.core.groups import Asked, Cells, Looks, Rules, State, Wants
from athanor.features.scheduling.core.jit import loop
from athanor.features.scheduling.core.table import Bools, Ints, Smalls

Arrays = Ints | Smalls | Bools

WHOLE = 1000
STEPS = 1000
EXTRA = 64
"""So much room for new patterns and options must be left before a node is looked at."""
TICK, PATTERNS, OPTIONS, AGE = 0, 1, 2, 3
"""Places in `counts`."""


@loop
def _times(cell: int, milli: int, mib: int, size: int, slots: int) -> int:
    """`gpu.each` of one device."""
    free = (cell & 1023) - 1
    if size > 0:
        cut = (cell >> 10) & 65535
        if free != WHOLE and cut == 0:
            return 0
        count = 0
        pattern = (1 << size) - 1
        for first in range(0, slots - size + 1, size):
            if not cut & (pattern << first):
                count += 1
        return count
    if free < milli:
        return 0
    count = free // max(milli, 1)
    if mib > 0:
        count = min(count, ((cell >> 26) & 16777215) // mib)
    return count


@loop
def _after(cell: int, milli: int, mib: int, size: int, cells: Cells) -> int:
    """`gpu.after` of one device."""
    sort = cell >> 50
    if size > 0:
        cut = (cell >> 10) & 65535
        pattern = (1 << size) - 1
        for first in range(0, cells.slots[sort] - size + 1, size):
            if not cut & (pattern << first):
                cut |= pattern << first
                break
        return (cell >> 26 << 26) | (cut << 10) | 1
    part = mib if mib > 0 else cells.memory[sort] * milli // WHOLE
    left = max(((cell >> 26) & 16777215) - part, 0)
    return (sort << 50) | (left << 26) | (((cell >> 10) & 65535) << 10) | ((cell & 1023) - milli)


@loop
def _hash(row: Ints) -> int:
    """A number for a row of cells, not below 0."""
    mixed = np.uint64(14695981039346656037)
    for cell in row:
        mixed = (mixed ^ np.uint64(cell)) * np.uint64(1099511628211)
        mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed >> np.uint64(1))


@loop
def rehash(rows: Ints, count: int, table: Smalls) -> None:
    """Fill an empty table with the first `count` patterns."""
    size = len(table) - 1
    for number in range(count):
        at = _hash(rows[number]) & size
        while table[at] >= 0:
            at = (at + 1) & size
        table[at] = number


@loop
def _known(row: Ints, cells: Cells) -> int:
    """The number of a pattern (a new one if need be); `row` is sorted if all are of one sort."""
    sort, alike = -1, True
    for cell in row:
        if cell > 0:
            if sort >= 0 and cell >> 50 != sort:
                alike = False
            sort = cell >> 50
    if alike:
        for i in range(1, len(row)):
            cell, j = row[i], i
            while j > 0 and row[j - 1] > cell:
                row[j] = row[j - 1]
                j -= 1
            row[j] = cell
    size = len(cells.table) - 1
    at = _hash(row) & size
    while True:
        found = cells.table[at]
        if found < 0:
            break
        same = True
        for d in range(len(row)):
            if cells.rows[found, d] != row[d]:
                same = False
                break
        if same:
            return np.int64(found)
        at = (at + 1) & size
    number = cells.counts[PATTERNS]
    cells.counts[PATTERNS] = number + 1
    cells.table[at] = number
    cells.rows[number] = row
    cells.age[number] = -1
    cells.fit[:, number] = -1
    return np.int64(number)


@loop
def _cell(sort: int, mib: int, cut: int, milli: int) -> int:
    """A device as a cell."""
    return (
        (np.int64(sort) << 50)
        | (max(np.int64(mib), 0) << 26)
        | (np.int64(cut) << 10)
        | (max(np.int64(milli), -1) + 1)
    )


@loop
def _pattern(node: int, state: State, cells: Cells) -> None:
    """Find the pattern of a node."""
    row = np.zeros(state.milli.shape[1], dtype=np.int64)
    for d in range(len(row)):
        if state.sort[node, d] >= 0:
            row[d] = _cell(
                state.sort[node, d], state.mib[node, d], state.cut[node, d], state.milli[node, d]
            )  # fmt: skip
    number = _known(row, cells)
    state.pattern[node] = number


@loop
def _lost(number: int, cells: Cells, rules: Rules) -> None:
    """`frag.fragmentation` of a pattern at every CPU step."""
    row = cells.rows[number]
    idle = 0
    for cell in row:
        cut = (cell >> 10) & 65535
        if cut:
            slots = cells.slots[cell >> 50]
            left = 0
            for slot in range(slots):
                left += 1 - ((cut >> slot) & 1)
            idle += left * WHOLE // max(slots, 1)
        elif cell > 0:
            idle += max((cell & 1023) - 1, 0)
    lost = cells.lost[number]
    lost[:] = idle * rules.whole
    for j in range(len(rules.asks)):
        needed, milli = rules.asks[j, 0], max(rules.asks[j, 1], 1)
        mib, size = rules.asks[j, 2], rules.asks[j, 3]
        total, devices = 0, 0
        for cell in row:
            if cell == 0 or not rules.admits[j, cell >> 50]:
                continue
            if size > 0:
                slots = cells.slots[cell >> 50]
                part = _times(cell, milli, mib, size, slots) * size * WHOLE // max(slots, 1)
            else:
                part = (cell & 1023) - 1
                if part < milli or (mib > 0 and ((cell >> 26) & 16777215) < mib):
                    part = 0
            total += part
            devices += part > 0
        if devices >= needed:
            for step in range(rules.weight.shape[1]):
                lost[step] -= rules.weight[j, step] * total
    cells.age[number] = cells.counts[AGE]


@loop
def _order(want: int, row: Ints, cells: Cells, wants: Wants) -> Ints:
    """`gpu.order` of one node: its devices in the order they are taken, those that fit."""
    needed, milli, mib, size = wants.asks[want]
    keys = np.zeros((len(row), 4), dtype=np.int64)
    order = np.zeros(len(row), dtype=np.int64)
    count = 0
    for d in range(len(row)):
        cell = row[d]
        if cell == 0 or not wants.admits[want, cell >> 50]:
            continue
        times = _times(cell, milli, mib, size, cells.slots[cell >> 50])
        if times == 0:
            continue
        free, mem, cut = (cell & 1023) - 1, (cell >> 26) & 16777215, (cell >> 10) & 65535
        if needed > 1:
            keys[d, 0], keys[d, 1], keys[d, 2], keys[d, 3] = -times, free, mem, cut
        elif size > 0:
            keys[d, 0] = 1 if cut == 0 else 0
        else:
            keys[d, 0] = free
        at = count
        while at > 0:
            before, less = order[at - 1], False
            for i in range(4):
                if keys[d, i] != keys[before, i]:
                    less = keys[d, i] < keys[before, i]
                    break
            if not less:
                break
            order[at] = before
            at -= 1
        order[at] = d
        count += 1
    return order[:count]


@loop
def _expand(want: int, number: int, cells: Cells, wants: Wants) -> None:
    """What fits into a pattern, and what is left of it after one pod."""
    needed, milli, mib, size = wants.asks[want]
    row = cells.rows[number].copy()
    total, most = 0, 0
    for cell in row:
        if cell > 0 and wants.admits[want, cell >> 50]:
            times = _times(cell, milli, mib, size, cells.slots[cell >> 50])
            total += times
            most = max(most, times)
    fit = total
    if needed > 1 and milli == WHOLE and size == 0:
        fit = total // needed
    elif needed > 1:
        fit = 0
        for pods in range(1, most * len(row) // needed + 1):
            have = 0
            for cell in row:
                if cell > 0 and wants.admits[want, cell >> 50]:
                    times = _times(cell, milli, mib, size, cells.slots[cell >> 50])
                    have += min(times, pods)
            if have >= pods * needed:
                fit = pods
    first = cells.counts[OPTIONS]
    at = first
    order = _order(want, row, cells, wants)
    if needed > 1 and fit > 0:
        left = row.copy()
        for d in order[:needed]:
            left[d] = _after(row[d], milli, mib, size, cells)
        cells.after[at], cells.cell[at] = _known(left, cells), 0
        at += 1
    elif needed == 1:
        for d in order:
            seen = False
            for i in range(first, at):
                seen |= cells.cell[i] == row[d]
            if seen:
                continue
            left = row.copy()
            left[d] = _after(row[d], milli, mib, size, cells)
            cells.after[at], cells.cell[at] = _known(left, cells), row[d]
            at += 1
    cells.counts[OPTIONS] = at
    cells.fit[want, number] = fit
    cells.first[want, number], cells.many[want, number] = first, at - first


@loop
def _below(bounds: Ints, value: int) -> int:
    """How many of the ascending bounds are at most `value`."""
    low, size = 0, len(bounds)
    while size > 0:
        half = size >> 1
        if bounds[low + half] <= value:
            low += half + 1
            size -= half + 1
        else:
            size = half
    return low


@loop
def _gradients(
    nodes: Smalls, want: int, asked: int, view: Looks, state: State, cells: Cells, rules: Rules
) -> None:
    """`frag.gradient` of nodes with room: scores and devices.

    Nothing but the rare call takes a whole group of arrays: counting their owners costs more than
    all the rest.
    """
    free, cpu, cpus, pattern = state.free, rules.cpu, rules.cpus, state.pattern
    recent, tick = cells.recent, cells.counts[TICK]
    options, score, device = cells.cell, view.score, view.device
    sort, milli, mib, cut = state.sort, state.milli, state.mib, state.cut
    for n in nodes:
        number, have = np.int64(pattern[n]), free[n, cpu]
        at = ((number * 1000003 + have) * 40503 >> 4) & (len(recent) - 1)
        if recent[at, 0] != tick or recent[at, 1] != number or recent[at, 2] != have:
            before, later = _below(cpus, have), _below(cpus, have - asked)
            best, mask = _best(number, want, before, later, cells, rules)
            recent[at, 0], recent[at, 1], recent[at, 2] = tick, number, have
            recent[at, 3], recent[at, 4] = best, mask
        score[n], device[n] = recent[at, 3], -1
        if recent[at, 4] == 0:
            continue
        for d in range(milli.shape[1]):
            if sort[n, d] < 0 or milli[n, d] < 0:
                continue
            cell = _cell(sort[n, d], mib[n, d], cut[n, d], milli[n, d])
            tied, i = recent[at, 4], np.int64(cells.first[want, number])
            while tied and not (tied & 1 and options[i] == cell):
                tied >>= 1
                i += 1
            if tied:
                device[n] = d
                break


@loop
def _best(
    number: int, want: int, before: int, later: int, cells: Cells, rules: Rules
) -> tuple[int, int]:
    """The best score of a pattern's options, and a mask of those that have it (0: no choice)."""
    if cells.age[number] != cells.counts[AGE]:
        _lost(number, cells, rules)
    lost = cells.lost[number, before]
    if want < 0:
        return _below(rules.bounds, lost - cells.lost[number, later]), 0
    first, many = cells.first[want, number], cells.many[want, number]
    most = np.int64(-9223372036854775807)
    for i in range(first, first + many):
        left = np.int64(cells.after[i])
        if cells.age[left] != cells.counts[AGE]:
            _lost(left, cells, rules)
        most = max(most, lost - cells.lost[left, later])
    score = _below(rules.bounds, most)
    if cells.cell[first] == 0:
        return score, 0
    tied = np.int64(0)
    for i in range(many):
        gain = lost - cells.lost[np.int64(cells.after[first + i]), later]
        if score == 0 or gain >= rules.bounds[score - 1]:
            tied |= np.int64(1) << i
    return score, tied


@loop
def _plain(nodes: Smalls, request: Ints, score: Smalls, state: State, rules: Rules) -> None:
    """`score.packing` or `score.spreading` of nodes with room."""
    free, capacity, scale, how = state.free, state.capacity, rules.scale, rules.how
    for n in nodes:
        total, count = np.int64(0), np.int64(0)
        for r in range(len(request)):
            left = max(free[n, r] - request[r], 0)
            if how == 1 and request[r] > 0:
                total += left * STEPS // max(capacity[n, r], 1)
                count += 1
            elif how != 1 and scale[r] > 0:
                total += left * STEPS // scale[r]
                count += 1
        if how == 1:
            score[n] = total // count if count else STEPS
        else:
            score[n] = STEPS - total // max(count, 1) + (STEPS if how == 2 else 0)


@loop
def _rooms(
    nodes: Smalls, ask: Asked, view: Looks, state: State, cells: Cells, wants: Wants
) -> tuple[int, int, int]:
    """Fill `view.room`; returns how many nodes are done, and how many of them (listed in
    `view.plain` and `view.graded`) have room and are to be compared."""
    request, here, limit, want = ask
    free, open_, pattern, fit, has = state.free, state.open, state.pattern, cells.fit, state.has
    allowed, stamp, room, score = view.allowed, view.stamp, view.room, view.score
    counts, tick, plain, graded = cells.counts, cells.counts[TICK], 0, 0
    for i in range(view.begin, len(nodes)):
        n = nodes[i]
        if not allowed[n] or stamp[n] == tick:
            continue
        if counts[PATTERNS] + EXTRA > len(cells.age) or counts[OPTIONS] + EXTRA > len(cells.after):
            return i, plain, graded
        stamp[n] = tick
        fits = np.int64(9223372036854775807)
        for r in range(len(request)):
            if request[r] > 0:
                fits = min(fits, free[n, r] // request[r])
        if limit > 0:
            fits = min(fits, np.int64(limit - here[n]))
        if fits > 0 and has[n]:
            if pattern[n] < 0:
                _pattern(n, state, cells)
            if want >= 0:
                if fit[want, pattern[n]] < 0:
                    _expand(want, np.int64(pattern[n]), cells, wants)
                fits = min(fits, np.int64(fit[want, pattern[n]]))
        elif want >= 0:
            fits = 0
        if fits <= 0 or not open_[n]:
            room[n], score[n] = 0, -1
            continue
        room[n] = fits
        if has[n]:
            view.graded[graded] = n
            graded += 1
        else:
            view.plain[plain] = n
            plain += 1
    return len(nodes), plain, graded


@loop
def refresh(nodes: Smalls, begin: int, stale: bool, want: int, limit: int, *given: Arrays) -> int:
    """Look at these nodes from `begin` on; if the view is `stale` compare all with room at the end.

    `want` -1: no devices; `limit` a node, 0: none. Returns how many are done till tables are full.
    """
    (
        request, here, allowed, stamp, room, score, device, plain, graded,
        sort, free, milli, mib, cut, open_, pattern, has, capacity,
        counts, rows, table, lost, age, fit, first, many, after, cell, memory, slots, recent,
        asks, admits, how, mix_asks, mix_admits, cpus, weight, bounds, scale,
    ) = given  # fmt: skip
    state = State(free, milli, mib, cut, open_, sort, pattern, has, capacity)
    cells = Cells(
        counts, rows, table, lost, age, fit, first, many, after, cell, memory, slots, recent
    )  # fmt: skip
    rules = Rules(how[0], how[1], how[2], mix_asks, mix_admits, cpus, weight, bounds, scale)
    view = Looks(begin, allowed, stamp, room, score, device, plain, graded)
    ask = Asked(request, here, limit, want)
    done, few, some = _rooms(nodes, ask, view, state, cells, Wants(asks, admits))
    if stale and done == len(nodes):
        plain = np.flatnonzero((room > 0) & ~has).astype(np.int32)
        graded = np.flatnonzero((room > 0) & has).astype(np.int32)
        few, some = len(plain), len(graded)
    if rules.how == 2:
        _gradients(graded[:some], want, request[rules.cpu], view, state, cells, rules)
    else:
        _plain(graded[:some], request, score, state, rules)
    _plain(plain[:few], request, score, state, rules)
    return done


@loop
def take(node: int, want: int, hint: int, request: Ints, out: Ints, *given: Arrays) -> int:
    """Pick the devices for one more pod (`hint`: this one) and book it.

    Writes the devices' mask and the slice to `out`. Returns 1 when it is not free.
    """
    (
        sort, free, milli, mib, cut, open_, pattern, has, capacity,
        counts, rows, table, lost, age, fit, first, many, after, cell, memory, slots, recent,
        asks, admits,
    ) = given  # fmt: skip
    cells = Cells(
        counts, rows, table, lost, age, fit, first, many, after, cell, memory, slots, recent
    )  # fmt: skip
    wants = Wants(asks, admits)
    out[0], out[1] = 0, -1
    for r in range(len(request)):
        if request[r] > free[node, r]:
            return 1
    if want >= 0:
        needed, part, own, size = asks[want]
        row = np.zeros(milli.shape[1], dtype=np.int64)
        for d in range(len(row)):
            if sort[node, d] >= 0:
                row[d] = _cell(sort[node, d], mib[node, d], cut[node, d], milli[node, d])
        order = _order(want, row, cells, wants)
        if len(order) < needed:
            return 1
        if hint >= 0 and needed == 1:
            order[0] = hint
        for d in order[:needed]:
            out[0] |= 1 << d
            if size > 0:
                pattern_ = (1 << size) - 1
                for slot in range(0, slots[sort[node, d]] - size + 1, size):
                    if not cut[node, d] & (pattern_ << slot):
                        cut[node, d] |= pattern_ << slot
                        out[1] = slot
                        break
                milli[node, d] = 0
            else:
                milli[node, d] -= part
                mib[node, d] -= own if own > 0 else memory[sort[node, d]] * part // WHOLE
    for r in range(len(request)):
        free[node, r] -= request[r]
    pattern[node] = -1
    return 0
