"""Which volumes claims may have, and from which nodes they are reached: the rules of Kubernetes'
binder, and of its scheduler's for claims that wait for their first consumer. Objects are JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from athanor.api.meta import JSON
from athanor.kit.quantity import parse
from athanor.wire import selector
from athanor.wire.selector import Requirement

HOSTNAME = "kubernetes.io/hostname"


def key(claim: JSON) -> str:
    """`namespace/name`."""
    return f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"


def size(volume: JSON) -> int:
    """What a volume holds, in billionths of a byte."""
    return parse(volume["spec"]["capacity"]["storage"]).nano


def asked(claim: JSON) -> int:
    """What a claim asks for, in the same unit."""
    return parse(claim["spec"]["resources"]["requests"]["storage"]).nano


def fits(claim: JSON, volume: JSON) -> bool:
    """Whether the volume is what the claim asks for, and kept for nobody else."""
    spec, want = volume["spec"], claim["spec"]
    if want.get("volumeName"):
        if want["volumeName"] != volume["metadata"]["name"]:
            return False
    elif not selector.from_object(want.get("selector") or {}).matches(
        volume["metadata"].get("labels") or {}
    ):
        return False
    ref = spec.get("claimRef")
    if ref and f"{ref.get('namespace')}/{ref.get('name')}" != key(claim):
        return False
    return (
        (spec.get("storageClassName") or "") == (want.get("storageClassName") or "")
        and set(want["accessModes"]) <= set(spec["accessModes"])
        and (spec.get("volumeMode") or "Filesystem") == (want.get("volumeMode") or "Filesystem")
        and size(volume) >= asked(claim)
    )


def is_open(claim: JSON, volume: JSON) -> bool:
    """Whether the claim may take the volume now, or has done so already."""
    held = (volume["spec"].get("claimRef") or {}).get("uid")
    if held:
        return bool(held == claim["metadata"]["uid"]) and fits(claim, volume)
    free = (volume.get("status") or {}).get("phase") == "Available"
    return free and not volume["metadata"].get("deletionTimestamp") and fits(claim, volume)


def preference(volume: JSON) -> tuple[bool, int, str]:
    """Volumes that name their claim come before others, small ones before large ones."""
    return not volume["spec"].get("claimRef"), size(volume), str(volume["metadata"]["name"])


def choose(claims: Iterable[JSON], volumes: Iterable[JSON]) -> dict[str, JSON] | None:
    """For every claim (`key`) a volume of its own: the smallest claims choose first, each the
    first volume that it may have. None where one finds none.
    """
    left = list(volumes)
    found: dict[str, JSON] = {}
    for claim in sorted(claims, key=lambda one: (asked(one), key(one))):
        volume = next((one for one in left if is_open(claim, one)), None)
        if volume is None:
            return None
        left.remove(volume)
        found[key(claim)] = volume
    return found


def taking(claim: JSON) -> JSON:
    """What a claim that takes a volume writes into it (a merge patch); the rest does Kubernetes."""
    meta = claim["metadata"]
    whose = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"],
             "name": meta["name"], "uid": meta["uid"]}  # fmt: skip
    ours = {"pv.kubernetes.io/bound-by-controller": "yes"}
    return {"metadata": {"annotations": ours}, "spec": {"claimRef": whose}}


def held(volume: JSON, claim: JSON) -> JSON:
    """The volume as one that the claim has taken."""
    return {**volume, "spec": {**volume["spec"], **taking(claim)["spec"]}}


class Ground:
    """The nodes there are (name → labels); says from which of them a volume is reached."""

    def __init__(self, nodes: Mapping[str, Mapping[str, str]]) -> None:
        self.nodes = nodes
        self._hosts: dict[str, list[str]] = {}
        for name, labels in nodes.items():
            self._hosts.setdefault(labels.get(HOSTNAME, ""), []).append(name)

    def reach(self, volume: JSON) -> frozenset[str]:
        """The names of the nodes that reach a volume."""
        required = (volume["spec"].get("nodeAffinity") or {}).get("required")
        if not required:
            return frozenset(self.nodes)
        terms = [[*_requirements(term)] for term in required.get("nodeSelectorTerms") or []]
        return frozenset(
            name for term in terms if term for name in self._likely(term)
            if all(_holds(one, field, name, self.nodes[name]) for one, field in term)
        )  # fmt: skip

    def _likely(self, term: Sequence[tuple[Requirement, bool]]) -> Iterable[str]:
        """The nodes that come into question: a local volume's are told by their host names."""
        for one, _ in term:
            if one.key == HOSTNAME and one.operator == "In":
                return [name for host in sorted(one.values) for name in self._hosts.get(host, ())]
        return self.nodes


def _requirements(term: JSON) -> Iterable[tuple[Requirement, bool]]:
    """The requirements of a node selector's term, and whether each is of a field."""
    for name in ("matchExpressions", "matchFields"):
        for one in term.get(name) or []:
            values = frozenset(one.get("values") or ())
            yield Requirement(one["key"], one["operator"], values), name == "matchFields"


def _holds(one: Requirement, field: bool, name: str, labels: Mapping[str, str]) -> bool:
    return one.matches({"metadata.name": name} if field else labels)
