"""What the controllers and people may do, each right with its reason: one table for both worlds.

On a laptop the API server starts with these roles, on a cluster `athanor install` makes them, and
the reference in `docs/` is written from them. No wildcard, no secret, no other people's kinds.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from athanor.api.gateway import GROUP as GATEWAY
from athanor.api.gateway import TAKE_CODE
from athanor.api.meta import GROUP, JSON
from athanor.api.registry import OURS
from athanor.api.visibility import GROUP as VISIBILITY

RBAC = "rbac.authorization.k8s.io"
READ = "get list watch"
MAKE = "create patch delete"


class Right(Struct, frozen=True):
    """Some verbs on some resources (or on those names `only`) of one group, and what for."""

    group: str
    resources: str
    verbs: str
    why: str
    only: str = ""

    def rule(self) -> JSON:
        """As RBAC writes it."""
        named = {"resourceNames": self.only.split()} if self.only else {}
        return {
            "apiGroups": [self.group],
            "resources": self.resources.split(),
            **named,
            "verbs": self.verbs.split(),
        }


def _ours(*, namespaced: bool | None = None) -> str:
    kinds = (r for r in OURS if namespaced is None or r.namespaced == namespaced)
    return " ".join(r.plural for r in kinds)


def _each(plurals: str, suffix: str) -> str:
    return " ".join(f"{plural}/{suffix}" for plural in plurals.split())


def controllers() -> list[Right]:
    """What the controllers' process may do in every namespace."""
    every = _ours()
    return [
        Right(GROUP, every, READ, "every controller follows its kinds"),
        Right(GROUP, _each(every, "status"), "get patch update", "each owns its part of a status"),
        Right(GROUP, _ours(namespaced=True), f"{MAKE} update", "kinds that are made of others"),
        Right(GROUP, _each(every, "finalizers"), "update", "owner references that block deletion"),
        Right("", "pods services", f"{READ} {MAKE}", "an admitted Gang becomes pods and a name"),
        Right("", "pods", "deletecollection", "a finished job cleans up"),
        Right("", "pods/binding", "create", "pods of others (schedulerName: athanor) are bound"),
        Right("", "pods/eviction", "create", "preemption honours disruption budgets"),
        Right("", "pods/status", "patch", "why a pod of others waits; pods of a dead node"),
        Right("", "configmaps", f"{READ} {MAKE} update", "host lists and code of jobs; history"),
        Right("", "serviceaccounts", "create patch", "a launching rank has its own account"),
        Right(RBAC, "roles rolebindings", "create patch", "it may execute commands in its ranks"),
        Right("", "pods/exec", "get create", "nobody grants what he has not (escalation rule)"),
        Right("", "persistentvolumeclaims", f"{READ} create patch", "volumes of jobs"),
        Right(
            "",
            "persistentvolumes",
            f"{READ} patch",
            "where one can be reached; local ones are taken",
        ),
        Right("", "nodes namespaces", READ, "what there is, and whose"),
        Right("", "resourcequotas limitranges", READ, "what a namespace may have, a whole gang"),
        Right("", "events", f"{READ} create patch update", "what happened, told once"),
        Right("scheduling.k8s.io", "priorityclasses", READ, "what a priority is worth"),
        Right("storage.k8s.io", "storageclasses", READ, "volumes that wait for their consumer"),
    ]


def laptop() -> list[Right]:
    """What they may do there beside: no controllers of Kubernetes look after nodes."""
    return [
        Right("", "nodes/status", "patch", "a node that no longer answers"),
        Right("coordination.k8s.io", "leases", READ, "heartbeats of nodes"),
    ]


def leader() -> list[Right]:
    """What it may do in its own namespace: hold the lease that makes it the leader."""
    return [Right("coordination.k8s.io", "leases", "get create update patch", "leader election")]


def answering() -> list[Right]:
    """What the leader on a cluster may do beside: be asked through the API server."""
    where = "apiregistration.k8s.io", "apiservices"
    return [
        Right(*where, "create", "it is reached through the API server while it leads"),
        Right(*where, "get patch delete", "the same", only=f"v1alpha1.{VISIBILITY}"),
    ]


def pointing() -> list[Right]:
    """And in its own namespace: lead its Service to itself."""
    return [Right("discovery.k8s.io", "endpointslices", "create patch", "where the leader is")]


def secret() -> list[Right]:
    """What controllers and gateway may do in their own namespace: share one word."""
    why = "what a workspace's program asks the gateway for"
    return [Right("", "secrets", "get patch", why, only="athanor-gateway")]


def collecting() -> list[Right]:
    """What the gateway of a cluster may do beside: a laptop's node keeps logs by itself."""
    where = "apiregistration.k8s.io", "apiservices"
    return [
        Right("", "pods", "get list watch", "which pods of gangs end"),
        Right("", "pods/log", "get", "what they wrote, for the time after them"),
        Right(*where, "create", "it is reached through the API server while it runs"),
        Right(*where, "get patch delete", "the same", only="v1alpha1.gateway.athanor.dev"),
    ]


def gateway() -> list[Right]:
    """What the gateway may do: look workspaces up, reach into their pods, ask who may."""
    reviews = "authorization.k8s.io", "authentication.k8s.io"
    return [
        Right(GROUP, "workspaces", READ, "which workspaces there are"),
        Right(GROUP, "workspaces/status", "patch", "when they were used last"),
        Right(GROUP, " ".join(TAKE_CODE), "list", "which uploaded code is still named"),
        Right("", "namespaces", "get list", "whose logs they are: names come again"),
        Right("", "pods", "get", "how much a workspace's pod works"),
        Right("", "pods/status", "patch", "what a rank reports stands in an annotation of its pod"),
        Right("", "pods/portforward", "get create", "the road into a workspace's pod"),
        Right(reviews[0], "subjectaccessreviews", "create", "who may open a workspace"),
        Right(reviews[1], "tokenreviews", "create", "whose token it is"),
    ]


def pods() -> list[Right]:
    """What the account of any pod may do; the gateway keeps it to the pod's own namespace."""
    return [
        Right(GATEWAY, "bundles/content", "get", "a job's pods fetch its code"),
        Right(GATEWAY, "podreports", "update", "a rank says how far it is, for itself only"),
    ]


def reader() -> list[Right]:
    """What everybody who is known to the cluster may see."""
    shared = _ours(namespaced=False)
    return [
        Right(GROUP, f"{shared} {_each(shared, 'status')}", READ, "queues, quota and reservations"),
        Right("scheduling.k8s.io", "priorityclasses", READ, "which priorities there are"),
    ]


def view() -> list[Right]:
    """What `view` of a namespace adds."""
    mine = _ours(namespaced=True)
    return [
        Right(GROUP, f"{mine} {_each(mine, 'status')}", READ, "jobs of the namespace"),
        Right(GATEWAY, "podlogs podlogs/log", "get list", "logs of pods that are gone"),
        Right(VISIBILITY, "gangs gangs/start gangs/changes", "get list", "why jobs wait"),
    ]


def edit() -> list[Right]:
    """What `edit` of a namespace adds."""
    verbs = f"{MAKE} update deletecollection"
    return [
        Right(GROUP, _ours(namespaced=True), verbs, "submit, change and delete jobs"),
        Right(GATEWAY, "bundles", "get update", "upload the code of jobs"),
    ]


def rules(rights: Iterable[Right]) -> list[JSON]:
    """As an RBAC role lists them."""
    return [right.rule() for right in rights]
