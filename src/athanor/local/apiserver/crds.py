"""CustomResourceDefinitions at work: from the object to the served resource, and away again.

A definition is served as soon as it is written; its conditions follow. Deleting one deletes its
objects first, as the finalizer `customresourcecleanup.apiextensions.k8s.io` says. Objects are
stored in the storage version and shown in any that is served; only their apiVersion changes
(conversion strategy None).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from athanor.api import crd as ours
from athanor.api.meta import JSON
from athanor.api.registry import Resource
from athanor.local.apiserver.catalog import VERBS, Served, Sub, age
from athanor.local.apiserver.collect.system import change, remove, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core, decode, encoder
from athanor.local.apiserver.kinds import definitions
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.schema.schema import Schema
from athanor.local.store.model import Key, Write

NAME = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_CUSTOM = Strategy(generation=True, unconditional=False, answers_object=False)
_log = logging.getLogger(__name__)


@lru_cache(maxsize=128)
def _schema(source: bytes) -> Schema:
    """A schema, compiled once for all that are alike: servers of one process share ours."""
    return Schema(decode(source))


def served_of(crd: JSON) -> tuple[Served, ...]:
    """How the objects of a definition are served: the storage version, then the others.

    Raises KeyError or ValueError for a bad one. While the definition is being deleted its objects
    can go, but none can come.
    """
    versions = [v for v in crd["spec"]["versions"] if v.get("served")]
    versions.sort(key=lambda version: not version.get("storage"))
    group = crd["spec"]["group"]
    hub = f"{group}/{versions[0]['name']}" if len(crd["spec"]["versions"]) > 1 else ""
    return tuple(_version_of(crd, version, hub) for version in versions)


def _version_of(crd: JSON, version: JSON, hub: str) -> Served:
    spec = crd["spec"]
    names = spec["names"]
    resource = Resource(
        group=spec["group"], version=version["name"], kind=names["kind"], plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular", names["kind"].lower()),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
    )  # fmt: skip
    schema = version["schema"]["openAPIV3Schema"]
    parts = version.get("subresources") or {}
    subs = {}
    if "status" in parts:
        subs["status"] = Sub(name="status", verbs=("get", "patch", "update"), kind=names["kind"])
    scale = parts.get("scale")
    if scale:
        subs["scale"] = Sub(
            name="scale", verbs=("get", "patch", "update"), kind="Scale", group="autoscaling",
            version="v1",
        )  # fmt: skip
    going = bool(crd["metadata"].get("deletionTimestamp"))
    return Served(
        resource=resource,
        verbs=tuple(v for v in VERBS if not going or v != "create"),
        strategy=_CUSTOM,
        subs=subs,
        schema=_schema(msgspec.json.encode(schema)),
        schema_json=schema,
        custom=True,
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        selectable=tuple(f["jsonPath"] for f in version.get("selectableFields") or ()),
        scale=scale,
        hub=hub,
        warning=_deprecation(crd, resource, version),
    )


def _deprecation(crd: JSON, resource: Resource, version: JSON) -> str:
    if not version.get("deprecated"):
        return ""
    if said := version.get("deprecationWarning"):
        return str(said)
    said = f"{resource.api_version} {resource.kind} is deprecated"
    others = [v["name"] for v in crd["spec"]["versions"] if v["served"] and not v.get("deprecated")]
    best = min(others, key=age, default="")
    if not best or age(best) > age(resource.version):
        return said
    return f"{said}; use {resource.group}/{best} {resource.kind}"


class Crds:
    """Keeps the catalog's custom resources as the stored definitions have them."""

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._served: dict[str, tuple[bytes, tuple[Served, ...]]] = {}
        work.on("crd", self.look)
        core.follow(self.observe, (NAME,))
        self._offer(ours.manifests())
        self._publish()

    def load(self) -> None:
        """Serve what is stored."""
        self._offer(decode(row.body) for row in self._core.store.rows(NAME))
        self._publish()
        for row in self._core.store.rows(NAME):
            self._work.add("crd", row.key.name)

    async def install(self) -> int:
        """Write the definitions of our own kinds, or bring them up to date; how many changed."""
        writes = []
        for wanted in ours.manifests():
            name = wanted["metadata"]["name"]
            row = self._core.store.latest(Key(NAME, "", name))
            definitions.default(wanted)
            if row is None:
                definitions.create(wanted)
                meta = {
                    "uid": self._core.ids.uid(), "creationTimestamp": self._core.now(),
                    "generation": 1,
                }  # fmt: skip
                new, expect = wanted | {"metadata": wanted["metadata"] | meta}, 0
            else:
                new, expect = decode(row.body), row.revision
                if new["spec"] == wanted["spec"]:
                    continue
                new["spec"] = wanted["spec"]
                new["metadata"]["generation"] = new["metadata"].get("generation", 0) + 1
            new["status"] = _status(self._core.now(), wanted, new.get("status"), "")
            writes.append(Write(Key(NAME, "", name), encoder(new), expect))
        if writes:
            await self._core.store.apply(writes)
        self.load()
        return len(writes)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """A definition was written or is gone, or an object of one that is going is."""
        if served.key == NAME:
            obj = new or old or {}
            name = obj["metadata"]["name"]
            if new is None:
                self._served.pop(name, None)
            else:
                self._offer([new])
                self._work.add("crd", name)
            self._publish()
        elif new is None and served.custom and served.key in self._served:
            self._work.add("crd", served.key)

    async def look(self, name: str) -> None:
        """Say whether a definition is accepted; empty and release one that is being deleted."""
        crd = self._core.latest(NAME, "", name)
        served = self._core.catalog.by_name(NAME)
        if crd is None or served is None:
            return
        call = system_call(served, Key(NAME, "", name), "status")
        meta = crd["metadata"]
        if meta.get("deletionTimestamp"):
            if FINALIZER in (meta.get("finalizers") or ()):
                await self._empty(name, served)
            return
        status = _status(self._core.now(), crd, crd.get("status"), self._conflict(crd))
        if status != crd.get("status"):
            await change(self._core, call, lambda obj: {**obj, "status": status}, missing=True)

    async def _empty(self, name: str, definitions: Served) -> None:
        known = self._served.get(name)
        if known is not None:
            for row in self._core.store.rows(name):
                if b'"deletionTimestamp"' not in row.body:
                    call = system_call(known[1][0], row.key)
                    await remove(self._core, call, propagation="Background")
        if self._core.store.count(name):
            return
        key = Key(NAME, "", name)
        await change(self._core, system_call(definitions, key), _released, missing=True)

    def _conflict(self, crd: JSON) -> str:
        """Which of a definition's names another one of its group already has."""
        names, group = crd["spec"]["names"], crd["spec"]["group"]
        for other, (_, served) in self._served.items():
            r = served[0].resource
            if other == crd["metadata"]["name"] or r.group != group:
                continue
            if not _established(self._core.latest(NAME, "", other)):
                continue
            taken = {
                "Plural": (names["plural"], r.plural),
                "Singular": (names.get("singular"), r.singular),
                "Kind": (names["kind"], r.kind),
                "ListKind": (names.get("listKind"), f"{r.kind}List"),
            }
            for word, (mine, theirs) in taken.items():
                if mine == theirs:
                    return f'{word}Conflict:"{mine}" is already in use'
        return ""

    def _offer(self, crds: Iterable[JSON]) -> None:
        for crd in crds:
            name = crd["metadata"]["name"]
            going = bool(crd["metadata"].get("deletionTimestamp"))
            spec = msgspec.json.encode([crd.get("spec"), going])
            known = self._served.get(name)
            if known is not None and known[0] == spec:
                continue
            try:
                if any(v.get("storage") and v.get("served") for v in crd["spec"]["versions"]):
                    self._served[name] = (spec, served_of(crd))
                else:
                    self._served.pop(name, None)
            except (KeyError, ValueError, StopIteration, TypeError) as error:
                _log.error("CustomResourceDefinition %s cannot be served: %r", name, error)

    def _publish(self) -> None:
        self._core.catalog.set_custom(one for _, served in self._served.values() for one in served)


def _established(crd: JSON | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _status(now: str, crd: JSON, old: JSON | None, conflict: str) -> JSON:
    old = old or {}
    accepted = not conflict
    reason, _, message = conflict.partition(":")
    found = {c["type"]: c for c in old.get("conditions") or ()}
    wanted = [
        ("NamesAccepted", accepted, reason or "NoConflicts", message or "no conflicts found"),
        (
            "Established",
            accepted or _established({"status": old}),
            "InitialNamesAccepted" if accepted else "NotAccepted",
            "the initial names have been accepted" if accepted else "not all names are accepted",
        ),
    ]
    for kind, holds, why, said in wanted:
        was = found.get(kind)
        state = "True" if holds else "False"
        if was is None or (was["status"], was.get("reason")) != (state, why):
            since = was["lastTransitionTime"] if was and was["status"] == state else now
            found[kind] = {
                "type": kind, "status": state, "lastTransitionTime": since, "reason": why,
                "message": said,
            }  # fmt: skip
    storage = [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]
    stored = list(dict.fromkeys([*(old.get("storedVersions") or ()), *storage]))
    names = crd["spec"]["names"] if accepted else old.get("acceptedNames")
    return {
        "conditions": list(found.values()),
        "acceptedNames": names or {"plural": "", "kind": ""},
        "storedVersions": stored,
    }


def _released(crd: JSON) -> JSON:
    meta = crd["metadata"]
    kept = [f for f in meta.get("finalizers") or () if f != FINALIZER]
    return {**crd, "metadata": {**meta, "finalizers": kept}}
