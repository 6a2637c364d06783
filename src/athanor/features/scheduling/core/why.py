"""Why a gang waits: a closed enum in the order in which the reasons bar, and their sentences.

The first reason that holds is the one to mend first. Numbers are given as data too.
"""

from __future__ import annotations

from enum import IntEnum

from athanor.features.scheduling.core.snapshot import Why


class Code(IntEnum):
    """Every reason there is. A gang's own mistakes come first, then rules, then hardware."""

    NONE = 0
    INVALID_REQUEST = 1
    QUEUE_NOT_FOUND = 2
    QUEUE_INVALID = 3
    NAMESPACE_NOT_ALLOWED = 4
    NAMESPACE_QUOTA = 5
    QUEUE_CLOSED = 6
    QUEUE_ON_HOLD = 7
    NO_POOL = 8
    NEVER_FITS = 9
    BUDGET_SPENT = 10
    USER_LIMIT = 11
    QUEUE_LIMIT = 12
    KEPT_FOR_OTHERS = 13
    NOT_PREEMPTIBLE = 14
    NODES_EXCLUDED = 15
    NO_CAPACITY = 16
    FRAGMENTED = 17
    TOPOLOGY = 18
    GANG_SPLIT = 19
    WAITS_FOR_EVICTION = 20
    RESERVED_FOR_OTHERS = 21
    BEHIND_HEAD = 22
    WAITS_FOR_POOL = 23
    NOT_PROVEN = 24
    BACKS_OFF = 25
    CLAIM_NOT_READY = 26


NAMES: dict[Code, str] = {
    code: "".join(word.capitalize() for word in code.name.split("_"))
    for code in Code
    if code != Code.NONE
}
"""The reasons as the API writes them: QueueLimit, NoCapacity, …"""


def why(code: Code, message: str, **details: int | float | str) -> Why:
    """One reason. `details` are the numbers of the message."""
    return Why(code=NAMES[code], message=message, details=tuple(sorted(details.items())))


def amount(resource: str, value: int, devices: frozenset[str] | tuple[str, ...]) -> str:
    """An amount as a person writes it: cores, GiB, whole or fractional devices."""
    if resource == "cpu" or resource in devices:
        whole, part = divmod(value, 1000)
        return f"{whole}" if not part else f"{value / 1000:g}"
    if resource in ("memory", "ephemeral-storage"):
        for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if value >= size:
                return f"{value / size:.4g}{unit}"
    return str(value)


WAYS: dict[str, str] = {
    NAMES[code]: text
    for code, text in {
        Code.INVALID_REQUEST: "ask for what is allowed: mend the request, then submit it again",
        Code.QUEUE_NOT_FOUND: "athanor queue list shows the queues there are",
        Code.QUEUE_INVALID: "athanor queue get QUEUE says what is wrong with it",
        Code.NAMESPACE_NOT_ALLOWED: "use a queue that admits this namespace",
        Code.NAMESPACE_QUOTA: "wait for pods of the namespace to end, or ask for more of it",
        Code.QUEUE_CLOSED: "use another queue, or ask for athanor queue open QUEUE",
        Code.QUEUE_ON_HOLD: "wait for, or ask for, athanor queue open QUEUE",
        Code.NO_POOL: "ask for a pool that the queue uses, or for none",
        Code.NEVER_FITS: "ask for less or for another sort: if all were free it would not fit",
        Code.BUDGET_SPENT: "wait for the next period, or ask for a larger budget",
        Code.USER_LIMIT: "wait for your own work to end, or suspend some of it",
        Code.QUEUE_LIMIT: "wait for work of the queue to end, or ask for a higher limit",
        Code.KEPT_FOR_OTHERS: "wait: this is kept for queues that have a right to it",
        Code.NOT_PREEMPTIBLE: "allow it to be preempted, or wait for guarantees to be free",
        Code.NODES_EXCLUDED: "loosen node selector or affinity, or tolerate the taint",
        Code.NO_CAPACITY: "wait for running work to end, or ask for less",
        Code.FRAGMENTED: "use smaller pods, which fit the free pieces",
        Code.TOPOLOGY: "allow the pods to be split (preferred instead of required)",
        Code.GANG_SPLIT: "use fewer pods, or let it start with fewer (minCount)",
        Code.WAITS_FOR_EVICTION: "nothing to do: room is being made",
        Code.RESERVED_FOR_OTHERS: "a short limit on its running time lets it pass those promised",
        Code.BEHIND_HEAD: "nothing to do: the queue goes in order",
        Code.WAITS_FOR_POOL: "ask for the other pool by name, or wait",
        Code.BACKS_OFF: "mend what kept its ranks from starting, then suspend and resume it",
        Code.CLAIM_NOT_READY: "make the claim, or wait until its volume is there",
        Code.NOT_PROVEN: "wait: the search for a place ended before it was done",
    }.items()
}
"""What helps against each reason, by its name."""
