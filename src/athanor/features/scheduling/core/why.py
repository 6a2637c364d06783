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
    QUEUE_CLOSED = 5
    QUEUE_ON_HOLD = 6
    NO_POOL = 7
    NEVER_FITS = 8
    BUDGET_SPENT = 9
    USER_LIMIT = 10
    QUEUE_LIMIT = 11
    KEPT_FOR_OTHERS = 12
    NOT_PREEMPTIBLE = 13
    NODES_EXCLUDED = 14
    NO_CAPACITY = 15
    FRAGMENTED = 16
    TOPOLOGY = 17
    GANG_SPLIT = 18
    WAITS_FOR_EVICTION = 19
    RESERVED_FOR_OTHERS = 20
    BEHIND_HEAD = 21
    WAITS_FOR_POOL = 22
    NOT_PROVEN = 23


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
