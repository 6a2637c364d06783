"""What pods outside admitted gangs use of each node, kept as pods and gangs come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from athanor.api import adoption, labels
from athanor.api.core import Container, Pod, ResourceRequirements
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs, nodes, pods
from athanor.features.scheduling.core.snapshot import HOST_PORT
from athanor.kit.quantity import QuantityError
from athanor.runtime.cache import Cache, Key, key_of

ENDED = ("Succeeded", "Failed")
Use = tuple[str, dict[str, int]]
"""Node, and what is used there."""
Adopted = tuple[Key, str]
"""A pod by its name and uid."""


class Foreign:
    """Use of each node. The mapping of a node is another object whenever it says other things."""

    def __init__(self, devices: frozenset[str]) -> None:
        self.devices = devices
        self.total: dict[str, dict[str, int]] = {}
        self.guards: set[Key] = set()
        self._used: dict[Key, Use] = {}
        self._of_gang: dict[str, set[Key]] = {}
        self._gang_of: dict[Key, str] = {}
        self._held: set[str] = set()
        self._adopted: Counter[Adopted] = Counter()
        self._adopts: dict[str, tuple[Adopted, ...]] = {}

    def update(self, cache: Cache[Pod], changed: Iterable[Key], held: Mapping[str, bool],
               adopts: Mapping[str, tuple[Adopted, ...]]) -> bool:  # fmt: skip
        """Pods that changed, gangs that hold something now or not any more, and whom they adopted.

        Returns whether any node's use is another now.
        """
        keys = dict.fromkeys(changed)
        for name, holds in held.items():
            mine = adopts.get(name, ()) if holds else ()
            before = self._adopts.pop(name, ())
            if holds == (name in self._held) and mine == before:
                if mine:
                    self._adopts[name] = mine
                continue
            (self._held.add if holds else self._held.discard)(name)
            keys.update(dict.fromkeys(self._of_gang.get(name, ())))
            keys.update((key, None) for key, _ in (*before, *mine))
            self._adopted.subtract(before)
            self._adopted.update(mine)
            for one in before:
                if not self._adopted[one]:
                    del self._adopted[one]
            if mine:
                self._adopts[name] = mine
        touched = set()
        for key in keys:
            touched |= self._look(key, cache.get(key))
        return bool(touched)

    def _look(self, key: Key, pod: Pod | None) -> set[str]:
        """One pod anew: the nodes where the use has changed."""
        name = pod.metadata.labels.get(labels.GANG) if pod is not None else None
        gang = f"{key.namespace}/{name}" if name is not None else ""
        self._file(key, gang)
        (self.guards.add if pod is not None and _guards(pod) else self.guards.discard)(key)
        before = self._used.get(key)
        after: Use | None = None
        if (
            pod is not None and pod.spec.node_name and pod.status.phase not in ENDED
            and gang not in self._held and not self._is_adopted(key, pod)
        ):  # fmt: skip
            after = pod.spec.node_name, self._scaled(use_of(pod))
        if before == after:
            return set()
        for use, sign in ((before, -1), (after, 1)):
            if use is not None:
                self._add(*use, sign)
        if after is None:
            self._used.pop(key, None)
        else:
            self._used[key] = after
        return {use[0] for use in (before, after) if use is not None}

    def _is_adopted(self, key: Key, pod: Pod) -> bool:
        """Whether a gang that holds something has it among its ranks; by name in older gangs."""
        return bool(self._adopted[key, pod.metadata.uid] or self._adopted[key, ""])

    def _file(self, key: Key, gang: str) -> None:
        """Remember whose pod it is."""
        known = self._gang_of.get(key, "")
        if known == gang:
            return
        if known:
            mine = self._of_gang[known]
            mine.discard(key)
            if not mine:
                del self._of_gang[known]
            del self._gang_of[key]
        if gang:
            self._gang_of[key] = gang
            self._of_gang.setdefault(gang, set()).add(key)

    def _scaled(self, use: Mapping[str, int]) -> dict[str, int]:
        return {n: a * pods.WHOLE if n in self.devices else a for n, a in use.items()}

    def _add(self, node: str, use: Mapping[str, int], sign: int) -> None:
        here = dict(self.total.get(node, {}))
        for resource, amount in use.items():
            here[resource] = here.get(resource, 0) + sign * amount
            if not here[resource]:
                del here[resource]
        if here:
            self.total[node] = here
        else:
            self.total.pop(node, None)


def adopted(gang: Gang) -> tuple[Adopted, ...]:
    """The pods of others that are ranks of a gang and not over."""
    space = gang.metadata.namespace
    mine = (one for one in adoption.adopted(gang) if not one.is_over)
    return tuple((Key(space, one.name), one.uid) for one in mine)


def uses(cache: Cache[Pod], all_gangs: Iterable[Gang]) -> dict[str, dict[str, int]]:
    """What pods outside admitted gangs use of each node, in whole units."""
    found = Foreign(frozenset())
    holding = [gang for gang in all_gangs if gangs.holds(gang)]
    found.update(
        cache, (key_of(pod) for pod in cache), dict.fromkeys(map(gangs.key_of, holding), True),
        {gangs.key_of(gang): adopted(gang) for gang in holding if gang.spec.adopts},
    )  # fmt: skip
    return found.total


def use_of(pod: Pod) -> dict[str, int]:
    """What a pod takes of its node."""
    spec = pod.spec
    found = {
        **_asked(
            tuple(map(_said, spec.containers)), tuple(map(_said, spec.init_containers)),
            tuple(spec.overhead.items()), _whole(spec.resources),
        )
    }  # fmt: skip
    lasting = (one for one in spec.init_containers if one.restart_policy == "Always")
    for container in (*spec.containers, *lasting):
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                found[f"{HOST_PORT}{port.protocol or 'TCP'}/{number}"] = 1
    return found


Said = tuple[tuple[str, str], ...]
Asks = tuple[Said, Said, str]
"""A container's requests, limits and restart policy."""


def _said(one: Container) -> Asks:
    asked = one.resources
    return tuple(asked.requests.items()), tuple(asked.limits.items()), one.restart_policy


def _whole(asked: ResourceRequirements | None) -> tuple[Said, Said]:
    """Requests and limits of a pod as a whole."""
    if asked is None:
        return (), ()
    return tuple(asked.requests.items()), tuple(asked.limits.items())


@lru_cache(4096)
def _asked(
    boxes: tuple[Asks, ...], first: tuple[Asks, ...], overhead: Said, whole: tuple[Said, Said]
) -> Mapping[str, int]:
    """What pods with such containers and init containers request, or as a whole."""
    spec: JSON = {
        "containers": [_container(one) for one in boxes],
        "initContainers": [_container(one) for one in first],
        "overhead": dict(overhead),
        "resources": {"requests": dict(whole[0]), "limits": dict(whole[1])},
    }
    try:
        return {**nodes.amounts(pods.requests(spec)), "pods": 1}
    except QuantityError:
        return {"pods": 1}  # the API server lets no such pod in


def _container(one: Asks) -> JSON:
    requests, limits, policy = one
    asked = {"requests": dict(requests), "limits": dict(limits)}
    return {"resources": asked, "restartPolicy": policy}


def _guards(pod: Pod) -> bool:
    return "podAntiAffinity" in (pod.spec.affinity or ())
