"""Every device of every node, and which gangs hold how much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from athanor.cli import overview, shared
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.scheduling import Gang

WHOLE = 1000
SIMULATED = "athanor.dev/simulated-gpus"


class Device(TypedDict):
    """One device: `used` are thousandths of it; `pods` hold them, as far as one may see them."""

    node: str
    index: int
    resource: str
    model: str
    simulated: bool
    used: int
    pods: list[str]


def devices(world: World) -> list[Device]:
    """All devices in the order of nodes and indices."""
    import msgspec

    from athanor.api.core import Node
    from athanor.features.scheduling.nodes import capacity

    found: dict[tuple[str, int], Device] = {}
    for item in world.client.list(shared.kind_of("nodes")).get("items", []):
        node = msgspec.convert(item, Node)
        marks = node.metadata.labels
        for index, device in enumerate(capacity(node)[1]):
            found[node.metadata.name, index] = Device(
                node=node.metadata.name, index=index, resource=device.kind, model=device.model,
                simulated=marks.get(SIMULATED) == "true" and device.kind.endswith("/gpu"),
                used=0, pods=[],
            )  # fmt: skip
    for gang in _gangs(world):
        for node_name, index, milli, pod in _held(gang):
            if (one := found.get((node_name, index))) is not None:
                one["used"] += milli
                one["pods"].append(pod)
    return [found[key] for key in sorted(found)]


def _gangs(world: World) -> list[Gang]:
    """The gangs one may see: all of them, else those of one's own namespace."""
    import msgspec

    from athanor.api.scheduling import Gang

    kind = shared.kind_of("gangs")
    page, everybody = overview.widest(lambda all_: world.client.list(kind, everywhere=all_))
    if not everybody:
        overview.only_ours(world)
    return [msgspec.convert(item, Gang) for item in page.get("items", [])]


def _held(gang: Gang) -> list[tuple[str, int, int, str]]:
    """(node, device, thousandths, pod) of an admitted gang that has not finished."""
    from athanor.api.placement import unpack

    admission = gang.status.admission
    if admission is None or gang.status.phase in ("Succeeded", "Failed"):
        return []
    share = {s.name: (s.gpu.milli if s.gpu and s.gpu.milli else WHOLE) for s in gang.spec.pod_sets}
    held = []
    for placed in admission.placements:
        for rank, (node, said) in enumerate(
            zip(unpack(placed.nodes), placed.devices, strict=False)
        ):
            pod = f"{gang.metadata.namespace}/{gang.metadata.name}-{placed.pod_set}-{rank}"
            held += [
                (node, int(part), share.get(placed.pod_set, WHOLE), pod)
                for part in said.split(",") if part.isdecimal()
            ]  # fmt: skip
    return held
