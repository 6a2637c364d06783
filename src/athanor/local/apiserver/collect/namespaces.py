"""Namespace life cycle: a deleted namespace is emptied, then let go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec
from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.apiserver.catalog import Served
from athanor.local.apiserver.collect.system import change, remove, system_call
from athanor.local.apiserver.collect.work import Work
from athanor.local.apiserver.core import Core
from athanor.local.apiserver.remove import AT_ONCE
from athanor.local.store.model import Key

SETTLE = 0.05
"""Seconds that deletions are gathered for before a namespace is looked at again."""


class NamespaceCollector:
    """Empties terminating namespaces. Items: ("namespace", name)."""

    FOLLOWS: tuple[str, ...] = ("namespaces",)

    def __init__(self, core: Core, work: Work) -> None:
        self._core, self._work = core, work
        self._terminating: set[str] = set()
        work.on("namespace", self.look)

    def load(self) -> None:
        """Find the namespaces that were being emptied."""
        for row in self._core.store.rows("namespaces"):
            if b'"deletionTimestamp"' in row.body:
                self._begin(row.key.name)

    def _begin(self, name: str) -> None:
        self._terminating.add(name)
        self._work.add("namespace", name)

    def observe(self, served: Served, old: JSON | None, new: JSON | None) -> None:
        """A namespace is deleted, or something in a terminating one is gone."""
        if served.key == "namespaces":
            if new is None and old is not None:
                self._terminating.discard(old["metadata"]["name"])
            elif new is not None and new["metadata"].get("deletionTimestamp"):
                self._begin(new["metadata"]["name"])
        elif new is None and old is not None and self._terminating:
            namespace = old["metadata"].get("namespace", "")
            if namespace in self._terminating:
                self._work.add("namespace", namespace, after=SETTLE)

    async def look(self, name: str) -> None:
        """Delete what is left; when nothing is, take the namespace's own finalizer away."""
        core = self._core
        namespace = core.latest("namespaces", "", name)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return
        left, doomed = 0, list[Awaitable[None]]()
        for served in core.catalog.all():
            if not served.resource.namespaced or not served.stored or served.second:
                continue
            for row in core.store.rows(served.key, name):
                left += 1
                if b'"deletionTimestamp"' not in row.body or not _marked(row.body):
                    call = system_call(served, row.key)
                    doomed.append(remove(core, call, propagation="Background"))
        for start in range(0, len(doomed), AT_ONCE):
            await asyncio.gather(*doomed[start : start + AT_ONCE])
        if left and any(
            core.store.count(s.key, name)
            for s in core.catalog.all()
            if s.resource.namespaced and s.stored
        ):
            return
        if namespace["spec"].get("finalizers"):
            served_ns = core.catalog.by_name("namespaces")
            if served_ns is not None:
                call = system_call(served_ns, Key("namespaces", "", name), "finalize")
                await change(core, call, lambda ns: _released(ns, core.now()), missing=True)


class _Meta(Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Head(Struct):
    metadata: _Meta


_head = msgspec.json.Decoder(_Head).decode


def _marked(body: bytes) -> bool:
    return _head(body).metadata.deletion_timestamp is not None


def _released(namespace: JSON, now: str) -> JSON:
    kept = [f for f in namespace["spec"].get("finalizers") or [] if f != "kubernetes"]
    said = [
        {
            "type": kind, "status": "False", "lastTransitionTime": now, "reason": reason,
            "message": message,
        }
        for kind, reason, message in _EMPTIED
    ]  # fmt: skip
    status = namespace.get("status") or {}
    if not status.get("conditions"):
        status = {**status, "conditions": said}
    return {**namespace, "spec": {**namespace["spec"], "finalizers": kept}, "status": status}


_EMPTIED = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered",
     "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions",
     "All legacy kube types successfully parsed"),
    ("NamespaceDeletionContentFailure", "ContentDeleted",
     "All content successfully deleted, may be waiting on finalization"),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers",
     "All content-preserving finalizers finished"),
)  # fmt: skip
"""What is said of a namespace that holds nothing any more and waits for somebody else."""
