"""One gang on a cluster in virtual time: the real server, simulated nodes, admission by hand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from athanor.api.core import Pod
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.features.gangs.apply import controller
from athanor.features.nodes import apply as nodes
from athanor.testing import lab, virtual
from athanor.testing.nodes import Life


def gang(count: int = 2, **spec: object) -> JSON:
    template = {"spec": {"containers": [{"name": "main", "image": "host"}]}}
    sets = [{"name": "worker", "count": count, "template": template}]
    return {"metadata": {"name": "g", "namespace": "default"}, "spec": {"podSets": sets, **spec}}


async def admit(bed: lab.Lab, *nodes: str) -> None:
    found = [{"prefix": node} for node in nodes]
    placements = [{"podSet": "worker", "count": len(nodes), "nodes": found}]
    admission = {"queue": "q", "pool": "p", "placements": placements}
    await bed.patch(Gang, "g", {"status": {"admission": admission}}, subresource="status")


def live(
    main: Callable[[lab.Lab], Coroutine[Any, Any, None]],
    script: Callable[[Pod], Life] = lambda _: Life(),
    count: int = 2,
    **spec: object,
) -> None:
    async def everything() -> None:
        async with lab.cluster([controller(), nodes.controller()], nodes=2, script=script) as bed:
            await bed.create(gang(count, **spec), Gang)
            await admit(bed, *[f"node-{i % 2}" for i in range(count)])
            await main(bed)

    virtual.run(everything)


def phase(*wanted: str) -> Callable[[Gang], bool]:
    return lambda g: g.status.phase in wanted
