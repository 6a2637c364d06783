"""What gangs ask for, read once for all gangs that ask alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from athanor.api.scheduling import Gang
from athanor.features.scheduling import gangs
from athanor.features.scheduling.core.rows import AskRow
from athanor.features.scheduling.gangs import Read, Sited
from athanor.features.scheduling.pods import PodNeed

_encode = msgspec.json.Encoder().encode


class Wish:
    """One way of asking: its number, what it means, and how many gangs have it."""

    def __init__(self, number: int, like: Gang, read: Read) -> None:
        self.number = number
        self.like = like
        self.read = read
        self.gangs = 0
        self._asked: tuple[tuple[Sited, ...], AskRow] | None = None

    def ask(self, needs: Mapping[PodNeed, Sited]) -> AskRow:
        """The wish as the core reads it, by the answers of the nodes there are."""
        sited = tuple(needs[need] for need in self.read.needs)
        if self._asked is None or self._asked[0] != sited:
            self._asked = sited, gangs.ask(self.like, self.read.needs, needs)
        return self._asked[1]


class Wishes:
    """The different wishes of the gangs there are. `devices` are what nodes offer as such."""

    def __init__(self, devices: Collection[str]) -> None:
        self.devices = devices
        self.changes = 0
        self._known: dict[bytes, Wish] = {}
        self._of: dict[str, tuple[bytes, Wish]] = {}
        self._free: list[int] = []
        self._needs: tuple[int, list[PodNeed]] = -1, []

    def __iter__(self) -> Iterator[Wish]:
        return iter(self._known.values())

    def put(self, name: str, gang: Gang) -> Wish:
        """What a gang asks for now."""
        spec = gang.spec
        key = _encode((gang.metadata.namespace, spec.pod_sets, spec.pools, spec.within))
        held = self._of.get(name)
        if held is not None and held[0] == key:
            return held[1]
        self.drop(name)
        wish = self._known.get(key)
        if wish is None:
            number = self._free.pop() if self._free else len(self._known)
            wish = self._known[key] = Wish(number, gang, gangs.read(gang, self.devices))
            self.changes += 1
        wish.gangs += 1
        self._of[name] = key, wish
        return wish

    def of(self, name: str) -> Wish:
        """What a gang asks for, as it was put last."""
        return self._of[name][1]

    def drop(self, name: str) -> None:
        """A gang has gone."""
        key, wish = self._of.pop(name, (b"", None))
        if wish is None:
            return
        wish.gangs -= 1
        if not wish.gangs:
            del self._known[key]
            self._free.append(wish.number)
            self.changes += 1

    def needs(self) -> list[PodNeed]:
        """The different needs of all pods."""
        if self._needs[0] != self.changes:
            found = dict.fromkeys(need for wish in self for need in wish.read.needs)
            self._needs = self.changes, list(found)
        return self._needs[1]
