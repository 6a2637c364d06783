"""Any program: nothing is added, but its own words may name ranks and hosts.

In command, args and values of env: `$(rank)` (within the role), `$(index)` (within the job),
`$(size)`, `$(role)`, `$(service.worker[0].host)`, `$(service.worker[0].port)`,
`$(replicas.worker)`. Ranks do not need each other: one that fails restarts alone.
"""

from __future__ import annotations

import re
from functools import partial

from athanor.api.meta import JSON
from athanor.features.training.frameworks.wiring import (
    INDEX,
    PORT,
    RANK,
    SIZE,
    JobWorld,
    Refused,
    Wiring,
)

_WORD = re.compile(
    r"\$\((?:(?P<word>rank|index|size|role)"
    r"|service\.(?P<role>[a-z0-9-]+)\[(?P<rank>[0-9]+)\]\.(?P<what>host|port)"
    r"|replicas\.(?P<of>[a-z0-9-]+))\)"
)


def wire(world: JobWorld) -> Wiring:
    """Free roles: only substitution."""
    return Wiring(restart="Rank", container=partial(substituted, world), live=True)


def substituted(world: JobWorld, role: str, container: JSON) -> JSON:
    """A container with our words replaced by what they stand for; others stay as they are."""

    def meant(match: re.Match[str]) -> str:
        return _meaning(world, match)

    def told(text: str) -> str:
        return _WORD.sub(meant, text)

    changed: JSON = {**container}
    for field in ("command", "args"):
        if field in container:
            changed[field] = [told(text) for text in container[field]]
    if "env" in container:
        changed["env"] = [
            {**one, "value": told(one["value"])} if "value" in one else one
            for one in container["env"]
        ]
    return changed


def _meaning(world: JobWorld, match: re.Match[str]) -> str:
    replicas = {role.name: role.replicas for role in world.roles}
    if match["word"]:
        words = {
            "rank": RANK, "index": INDEX, "size": SIZE, "role": "$(ATHANOR_ROLE)",
        }  # fmt: skip
        return words[match["word"]]
    if match["of"]:
        return str(replicas[match["of"]]) if match["of"] in replicas else match[0]
    if not world.job.spec.service:
        raise Refused(f"{match[0]}: ranks have names by the job's Service; leave service out")
    if match["role"] not in replicas or int(match["rank"]) >= replicas[match["role"]]:
        return match[0]
    return PORT if match["what"] == "port" else world.host(match["role"], int(match["rank"]))
