"""Questions of chance: objects, patches of all four kinds and selectors, each from its seed.

The seed is the scenario's title, so a question stays the same until its makers change; then
`python -m tests.conformance.compare --record --kubeconfig F generated` asks a real one anew.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from msgspec import structs

from tests.conformance.questions.customs import STAGE as CUSTOMS
from tests.conformance.questions.dice import Dice
from tests.conformance.questions.things import KINDS, LABELS, WORDS, labels
from tests.conformance.scenario import Step, delete, get, patch, post, put

STAGE = CUSTOMS
PER_KIND = {"Pod": 22, "Service": 10, "ConfigMap": 9, "Bound": 9}
"""How many scenarios of a kind; of the others as many as `OTHERWISE`."""
OTHERWISE = 5
SELECTIONS = 20
_ANY = tuple(range(200, 600))
_OMIT = {
    "ResourceQuota": ("status", "resourceVersion"),
    "PersistentVolumeClaim": (
        "status",
        "resourceVersion",
        "finalizers",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ),
}
"""What controllers write into objects when they like."""


class Subject:
    """One object of a kind, and the questions about it."""

    def __init__(self, d: Dice, kind: str) -> None:
        self.d, self.kind = d, kind
        self.version, self.plural, self.make = KINDS[kind]
        root = "/api/v1" if self.version == "v1" else f"/apis/{self.version}"
        self.path = f"{root}/namespaces/{{ns}}/{self.plural}"
        self.one = f"{self.path}/a"
        self.omit = _OMIT.get(kind, ())

    def object(self) -> dict[str, Any]:
        """An object of chance."""
        meta: dict[str, Any] = {"name": "a"}
        if self.d.maybe(60) and (found := labels(self.d)):
            meta["labels"] = found
        if self.d.maybe(30):
            meta["annotations"] = {self.d.mostly(("note", "a.b/c"), ("a b",)): "x y"}
        if self.d.maybe(8):
            meta["finalizers"] = ["example.com/f"]
        head = {"apiVersion": self.version, "kind": self.kind, "metadata": meta}
        return {**head, **self.make(self.d)}

    def steps(self) -> Iterator[Step]:
        """Create (perhaps once more, perhaps only for show), change, look, delete."""
        made = self.object()
        if self.d.maybe(25):
            yield self._asked(post(f"{self.path}?dryRun=All", made))
        yield self._asked(post(self.path, made))
        again = self.object()
        if self.d.maybe(50):
            yield self._asked(post(self.path, again))
            made = again
        for _ in range(self.d.number(3, 5)):
            yield self._asked(self._change(made))
        yield self._asked(get(self.one))
        yield self._asked(patch(self.one, {"metadata": {"finalizers": None}}))
        yield self._asked(delete(self.one))

    def _asked(self, step: Step) -> Step:
        path = step.path
        if step.method in ("POST", "PUT", "PATCH") and "fieldManager" not in path:
            # who does not name himself is not remembered here (a listed refusal)
            path += ("&" if "?" in path else "?") + "fieldManager=w"
        return structs.replace(step, path=path, code=_ANY, omit=self.omit)

    def _change(self, made: dict[str, Any]) -> Step:
        kind = self.d.one(
            ("merge", "merge", "patch", "patch", "strategic", "apply", "apply", "put")
        )
        if kind == "patch":
            return patch(self.one, self._operations(made), media="patch")
        if kind == "apply":
            asked = f"fieldManager={self.d.one(('x', 'y'))}"
            force = "&force=true" if self.d.maybe(40) else ""
            return patch(f"{self.one}?{asked}{force}", self._part(made), media="apply")
        if kind == "put":
            return put(self.one, self._part(made))
        return patch(self.one, self._merge(made), media=kind)

    def _merge(self, made: dict[str, Any]) -> dict[str, Any]:
        """Some fields of another object of the kind, some fields taken away."""
        other = self.object()
        del other["metadata"]["name"]
        for head in ("apiVersion", "kind"):
            del other[head]
        found: dict[str, Any] = {}
        for key in self.d.some([k for k in other if k != "metadata"], 0, 2):
            value = other[key]
            if isinstance(value, dict) and value:
                found[key] = {k: value[k] for k in self.d.some(list(value), 1, 2)}
            else:
                found[key] = value
        if self.d.maybe(60):
            found["metadata"] = {"labels": {
                self.d.one(LABELS): self.d.mostly((*WORDS, None), ("bad value",)),
            }}  # fmt: skip
        spec = made.get("spec")
        if self.d.maybe(25) and spec:
            found.setdefault("spec", {})[self.d.one(list(spec))] = None
        return found

    def _part(self, made: dict[str, Any]) -> dict[str, Any]:
        """The object or another, with fewer fields."""
        whole = copy.deepcopy(made if self.d.maybe(60) else self.object())
        for key in [k for k in whole if k not in ("apiVersion", "kind", "metadata", "spec")]:
            if self.d.maybe(20):
                del whole[key]
        spec = whole.get("spec") or {}
        for key in [k for k in spec if k != "containers"]:
            if self.d.maybe(25):
                del spec[key]
        if self.d.maybe(40) and (found := labels(self.d)):
            whole["metadata"]["labels"] = found
        return whole

    def _operations(self, made: dict[str, Any]) -> list[dict[str, Any]]:
        places = list(_places(made)) or [("/metadata/labels", {})]
        found: list[dict[str, Any]] = []
        for _ in range(self.d.number(1, 3)):
            at, value = self.d.one(places)
            word = self.d.one(("add", "replace", "remove", "test", "copy", "move", "add"))
            if self.d.maybe(10):
                at += "/nowhere/at-all"
            if word in ("copy", "move"):
                label = f"/metadata/labels/{self.d.one(('app', 'new'))}"
                found.append({"op": word, "from": at, "path": label})
            elif word == "remove":
                found.append({"op": word, "path": at})
            else:
                other = self.d.mostly((value, value, *WORDS), (None, 1, [], {}), 15)
                found.append({"op": word, "path": at, "value": other})
        return found


def _places(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every place of an object as a JSON pointer, and what is there; not its identity."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        path = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if path in ("/apiVersion", "/kind", "/metadata", "/metadata/name"):
            if path == "/metadata":
                yield from _places(inner, path)
            continue
        yield path, inner
        if isinstance(inner, dict | list):
            yield from _places(inner, path)


def _selector(d: Dice) -> str:
    terms = []
    for _ in range(d.number(1, 3)):
        key, value = d.mostly(LABELS, ("bad key", "")), d.mostly(WORDS, ("bad value", "-"))
        terms.append(d.mostly(
            (f"{key}={value}", f"{key}=={value}", f"{key}!={value}", key, f"!{key}",
             f"{key} in ({value},{d.one(WORDS)})", f"{key} notin ({value})", f"{key}>1"),
            (f"{key}=", f"{key} in ()", f"{key} in {value}", "=", f"{key}<x", f"({key})", ",,"),
        ))  # fmt: skip
    return ",".join(terms)


def _selection(d: Dice) -> Iterator[Step]:
    """Some objects, and lists of those that are selected in ways of chance."""
    path = "/api/v1/namespaces/{ns}/configmaps"
    for name in ("a", "b", "c", "d"):
        yield post(path, {"metadata": {"name": name, "labels": labels(d, 0)}})
    for _ in range(d.number(5, 8)):
        query = [f"labelSelector={_escaped(_selector(d))}"]
        if d.maybe(30):
            field = d.mostly(
                ("metadata.name=a", "metadata.name!=b", "metadata.namespace={ns}"),
                ("metadata.uid=x", "spec.x=1", "metadata.name", "metadata.name=a,metadata.name=b"),
                25,
            )
            query.append(f"fieldSelector={_escaped(field)}")
        if d.maybe(25):
            query.append(f"limit={d.mostly((1, 2, 5), (0, -1, 'x'))}")
        yield get(f"{path}?{'&'.join(query)}", code=_ANY)
    yield delete(f"{path}?labelSelector={_escaped(_selector(d))}", code=_ANY)
    yield get(f"{path}?labelSelector={_escaped('env,app')}", code=_ANY)
    yield get(f"{path}?fieldSelector=metadata.name!%3Dkube-root-ca.crt", code=_ANY)


def _escaped(text: str) -> str:
    for char in "%=!<>, ":
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def every(more: str = "") -> Iterator[tuple[str, list[Step]]]:
    """All of them by their titles; with `more` in the titles they are others."""
    for kind in KINDS:
        for number in range(1, PER_KIND.get(kind, OTHERWISE) + 1):
            title = f"{kind} {number}{more}"
            yield title, list(Subject(Dice(title), kind).steps())
    for number in range(1, SELECTIONS + 1):
        title = f"selectors {number}{more}"
        yield title, list(_selection(Dice(title)))


SCENARIOS = dict(every())
