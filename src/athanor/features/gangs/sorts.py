"""Which pods of others are alike: they share a pod set, and the first one's template is theirs.

Alike are pods that may go to the same places and need the same there. Labels that differ from pod
to pod (an index, a name) would make a set of each: labels count as far as a selector of some pod
of the group tells pods apart by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from athanor.api import processes
from athanor.api.core import Pod
from athanor.api.meta import JSON, to_manifest
from athanor.wire.selector import LabelSelector, from_object
from athanor.wire.status import ApiError

_DECIDES = (
    "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "hostNetwork",
    "overhead", "resources", "resourceClaims",
)  # fmt: skip
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def sorts(pods: Sequence[Pod]) -> dict[str, list[Pod]]:
    """The pods by a digest of all that decides where they may go, in their order."""
    specs = [to_manifest(pod.spec) for pod in pods]
    selecting = {_text(term): term for spec in specs for term in _terms(spec)}
    selectors = list(_selectors(selecting.values()))
    keys = sorted({
        key for term in selecting.values() for field in ("matchLabelKeys", "mismatchLabelKeys")
        for key in term.get(field) or []
    })  # fmt: skip
    found: dict[str, list[Pod]] = {}
    for pod, spec in zip(pods, specs, strict=True):
        own = pod.metadata.labels
        answers = [one.matches(own) for one in selectors], [own.get(key) for key in keys]
        what = [*_asks(spec), *answers] if selecting else _asks(spec)
        found.setdefault(digest(_text(what)), []).append(pod)
    return found


def digest(text: str) -> str:
    """A short name for a text, fit for names of objects."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _asks(spec: JSON) -> list[object]:
    """What a pod says itself of where it may go."""
    kept = {name: spec.get(name) for name in _DECIDES}
    kept["containers"] = [
        [c.get("resources"), c.get("ports"), c.get("restartPolicy")]
        for field in ("containers", "initContainers") for c in spec.get(field) or []
    ]  # fmt: skip
    kept["processes"] = processes.needed(spec)
    volumes = spec.get("volumes") or []
    return [kept, [[v.get("persistentVolumeClaim"), v.get("ephemeral")] for v in volumes]]


def _terms(spec: JSON) -> Iterator[JSON]:
    """What of a pod selects other pods by their labels."""
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        said = affinity.get(name) or {}
        yield from said.get(REQUIRED) or []
        yield from (one.get("podAffinityTerm") or {} for one in said.get(PREFERRED) or [])
    yield from spec.get("topologySpreadConstraints") or []


def _selectors(terms: Iterable[JSON]) -> Iterator[LabelSelector]:
    for term in terms:
        try:
            yield from_object(term.get("labelSelector"))
        except ApiError:
            continue  # who places the pod refuses it, and says what is wrong


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
