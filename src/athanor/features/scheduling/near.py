"""Where a pod may go because of other pods and of its volumes: affinity, spread, claims.

A template's wishes are read once (`read`). What they mean depends on the pods there are: `Cluster`
answers, for each wish, on which nodes it holds. Answers become made-up labels of the nodes, so that
nodes that answer alike stay one class; what a gang's own pods ask of each other becomes topology.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from athanor.api import claims
from athanor.api.core import Node, Pod
from athanor.api.meta import JSON
from athanor.features.scheduling.core.rows import SpreadRow
from athanor.wire.selector import from_object
from athanor.wire.status import ApiError

HOSTNAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
MOST = 100
"""The largest weight of a preference."""


class Term(NamedTuple):
    """Pods in these namespaces with these labels, in one domain of `key`. Selectors are JSON."""

    selector: str
    namespaces: tuple[str, ...]
    anywhere: bool
    key: str


class Spread(NamedTuple):
    """Numbers of pods per domain of `key` differ by `skew` at most; `soft`: if it can be.

    With fewer than `domains` domains, the least that one has counts as none.
    """

    selector: str
    key: str
    skew: int
    soft: bool
    domains: int = 1


class Wishes(NamedTuple):
    """What a pod of a set asks of others. `labels` are its own; weights from 1 to 100.

    `together` are claims that the set needs within reach of one place, one domain of each of
    `levels` too; `whole`: of the whole gang, whose sets share some.
    """

    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    beside: tuple[Term, ...] = ()
    apart: tuple[Term, ...] = ()
    liked: tuple[tuple[int, Term], ...] = ()
    spreads: tuple[Spread, ...] = ()
    claims: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    whole: bool = False

    @property
    def needed(self) -> bool:
        """Whether other pods matter at all."""
        return bool(self.beside or self.apart or self.liked or self.spreads or self.claims)


class Topology(NamedTuple):
    """What the wishes of a set mean for its own pods among each other; `volumes`: the level that
    its volumes require, finer than any other."""

    required: str = ""
    preferred: str = ""
    spreads: tuple[SpreadRow, ...] = ()
    volumes: str = ""


def read(namespace: str, template: JSON) -> Wishes:
    """The wishes of a template. Raises ValueError with the field's name for what nobody honours."""
    spec: JSON = template.get("spec") or {}
    affinity = spec.get("affinity") or {}
    beside, apart = (affinity.get(name) or {} for name in ("podAffinity", "podAntiAffinity"))
    labels = (template.get("metadata") or {}).get("labels") or {}
    liked = [
        (sign * number(one.get("weight", 1)),
         _term(namespace, one.get("podAffinityTerm") or {}, labels))
        for sign, terms in ((1, beside), (-1, apart))
        for one in terms.get(PREFERRED) or []
    ]  # fmt: skip
    spreads = [_spread(one, labels) for one in spec.get("topologySpreadConstraints") or []]
    return Wishes(
        namespace=namespace,
        labels=tuple(sorted((str(k), str(v)) for k, v in labels.items())),
        beside=tuple(_term(namespace, one, labels) for one in beside.get(REQUIRED) or []),
        apart=tuple(_term(namespace, one, labels) for one in apart.get(REQUIRED) or []),
        liked=tuple(liked),
        spreads=tuple(spreads),
        claims=claims.named(template),
    )


def text(value: object) -> str:
    """What has to be a text in a pod. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def number(value: object) -> int:
    """What has to be a number of 32 bits in a pod. Raises TypeError, ValueError."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} is no number of 32 bits")
    return value


def _term(namespace: str, one: JSON, labels: Mapping[str, str]) -> Term:
    if one.get("namespaceSelector"):
        raise ValueError("affinity: a namespaceSelector that is not empty is not supported")
    named = tuple(sorted(map(text, one.get("namespaces") or ())))
    anywhere = one.get("namespaceSelector") is not None and not named
    if not one.get("topologyKey"):
        raise ValueError("affinity: podAffinity and podAntiAffinity need a topologyKey")
    return Term(_selector(one, labels), named or (namespace,), anywhere, text(one["topologyKey"]))


def _spread(one: JSON, labels: Mapping[str, str]) -> Spread:
    for name, default in (("nodeAffinityPolicy", "Honor"), ("nodeTaintsPolicy", "Ignore")):
        if one.get(name, default) != default:
            raise ValueError(f"topologySpreadConstraints: {name}: {one[name]} is not supported")
    soft = one.get("whenUnsatisfiable", "DoNotSchedule") != "DoNotSchedule"
    if not one.get("topologyKey"):
        raise ValueError("topologySpreadConstraints: topologyKey is missing")
    return Spread(
        _selector(one, labels), text(one["topologyKey"]), number(one.get("maxSkew") or 1), soft,
        number(one.get("minDomains") or 1),
    )  # fmt: skip


def _selector(one: JSON, labels: Mapping[str, str]) -> str:
    """The pods that are meant, as JSON: by their labels, and as those that the pod itself has.

    Keys that the pod has no label of say nothing, as in Kubernetes.
    """
    more = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in one.get(field) or [] if key in labels
    ]  # fmt: skip
    selector: JSON | None = one.get("labelSelector")
    if selector is not None and more:
        said = [*(selector.get("matchExpressions") or []), *more]
        selector = {**selector, "matchExpressions": said}
    try:
        from_object(selector)
    except ApiError as problem:
        raise ValueError(problem.message) from None
    return msgspec.json.encode(selector, order="sorted").decode() if selector is not None else ""


class Cluster:
    """The pods there are, on nodes with labels; answers wishes."""

    def __init__(self, nodes: Iterable[Node], pods: Iterable[Pod]) -> None:
        self._nodes = {node.metadata.name: node.metadata.labels for node in nodes}
        self._pods = [
            pod for pod in pods
            if pod.spec.node_name in self._nodes and pod.status.phase not in ("Succeeded", "Failed")
        ]  # fmt: skip
        self._domains: dict[Term, frozenset[str]] = {}
        self._guards = [(term, pod) for pod in self._pods for term in _guards(pod)]

    @property
    def guarded(self) -> bool:
        """Whether some pod keeps others away from itself."""
        return bool(self._guards)

    def nodes_with(self, term: Term) -> frozenset[str]:
        """The nodes in whose domain some pod matches the term."""
        found = self._domains.get(term)
        if found is None:
            values = {
                self._nodes[pod.spec.node_name].get(term.key)
                for pod in self._pods if matches(term, pod.metadata.namespace, pod.metadata.labels)
            }  # fmt: skip
            found = self._domains[term] = frozenset(
                name for name, labels in self._nodes.items()
                if term.key in labels and labels[term.key] in values
            )  # fmt: skip
        return found

    def closed(self, wishes: Wishes) -> frozenset[str]:
        """The nodes that running pods keep such pods away from, or that it keeps away from."""
        shut: set[str] = set()
        for term in wishes.apart:
            shut |= self.nodes_with(term)
        own = dict(wishes.labels)
        for term, pod in self._guards:
            if matches(term, wishes.namespace, own):
                value = self._nodes[pod.spec.node_name].get(term.key)
                shut |= {n for n, labels in self._nodes.items() if labels.get(term.key) == value}
        return frozenset(shut)

    def open(self, wishes: Wishes) -> frozenset[str] | None:
        """The nodes where every required affinity holds; None: anywhere.

        A term that no pod matches yet, but these pods themselves, lets the first one go anywhere.
        """
        found: frozenset[str] | None = None
        for term in wishes.beside:
            here = self.nodes_with(term)
            if not here and matches(term, wishes.namespace, dict(wishes.labels)):
                continue
            found = here if found is None else found & here
        return found

    def worth(self, wishes: Wishes) -> dict[str, int]:
        """Node → how well it suits what is preferred of other pods; what is 0 is left out."""
        found: dict[str, int] = {}
        for weight, term in wishes.liked:
            for name in self.nodes_with(term):
                found[name] = found.get(name, 0) + weight
        return found

    def topology(self, wishes: Wishes) -> Topology:
        """What the wishes mean among the pods of the set itself."""
        own = dict(wishes.labels)
        made = Topology()
        for term in wishes.beside:
            if matches(term, wishes.namespace, own) and not self.nodes_with(term):
                made = made._replace(required=term.key)
        for weight, term in wishes.liked:
            if weight > 0 and matches(term, wishes.namespace, own):
                made = made._replace(preferred=term.key)
        spreads = [
            SpreadRow(term.key, -1) for term in wishes.apart
            if term.key != HOSTNAME and matches(term, wishes.namespace, own)
        ]  # fmt: skip
        for one in wishes.spreads:
            term = Term(one.selector, (wishes.namespace,), False, "")
            counts = matches(term, wishes.namespace, own)
            beside = self._counts(term)
            spreads.append(SpreadRow(one.key, one.skew, one.soft, counts, beside, one.domains))
        return made._replace(spreads=tuple(spreads))

    def _counts(self, term: Term) -> tuple[tuple[str, int], ...]:
        found: dict[str, int] = {}
        for pod in self._pods:
            if matches(term, pod.metadata.namespace, pod.metadata.labels):
                found[pod.spec.node_name] = found.get(pod.spec.node_name, 0) + 1
        return tuple(sorted(found.items()))


def keys(wishes: Iterable[Wishes]) -> list[str]:
    """The node labels whose domains matter."""
    found: set[str] = set()
    for one in wishes:
        found |= {term.key for term in (*one.beside, *one.apart)}
        found |= {term.key for _, term in one.liked} | {spread.key for spread in one.spreads}
    return sorted(found)


def itself_apart(wishes: Wishes) -> bool:
    """Whether no two pods of the set may share a node."""
    own = dict(wishes.labels)
    return any(
        term.key == HOSTNAME and matches(term, wishes.namespace, own) for term in wishes.apart
    )


def between(sets: Sequence[Wishes]) -> Iterator[tuple[int, int, Term]]:
    """Which set keeps the pods of which other one away, and from where."""
    for i, one in enumerate(sets):
        for j, other in enumerate(sets):
            for term in one.apart if i != j else ():
                if matches(term, other.namespace, dict(other.labels)):
                    yield i, j, term


def _guards(pod: Pod) -> list[Term]:
    """What a running pod keeps away from itself."""
    terms = ((pod.spec.affinity or {}).get("podAntiAffinity") or {}).get(REQUIRED) or []
    try:
        return [_term(pod.metadata.namespace, one, pod.metadata.labels) for one in terms]
    except ValueError:
        return []  # asks for what nobody honours here


def matches(term: Term, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod of a namespace with such labels is meant, wherever it is."""
    if not term.selector or not (term.anywhere or namespace in term.namespaces):
        return False
    return from_object(msgspec.json.decode(term.selector)).matches(labels)


def volume_terms(
    named: Collection[str], namespace: str, bound: Mapping[tuple[str, str], JSON]
) -> list[list[JSON]]:
    """For each claim on a volume that is tied to nodes the node selector terms of the volume."""
    found = []
    for claim in named:
        volume = bound.get((namespace, claim))
        affinity = ((volume or {}).get("nodeAffinity") or {}).get("required") or {}
        if affinity.get("nodeSelectorTerms"):
            found.append(affinity["nodeSelectorTerms"])
    return found
