"""Objects live in namespaces that exist and are not going away (NamespaceLifecycle)."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver import errors
from athanor.local.apiserver.core import Call, Core
from athanor.wire.status import ApiError, Cause

IMMORTAL = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


def admit_create(core: Core, call: Call, obj: JSON) -> None:
    """The namespace must exist and not be terminating."""
    name = call.target.namespace
    if not call.resource.namespaced:
        return
    namespace = core.known("namespaces", "", name)
    if namespace is None:
        raise ApiError("NotFound", f'namespaces "{name}" not found', kind="namespaces", name=name)
    if namespace["metadata"].get("deletionTimestamp"):
        cause = Cause(
            reason="NamespaceTerminating", message=f"namespace {name} is being terminated",
            field="metadata.namespace",
        )  # fmt: skip
        raise errors.forbidden(
            call.resource, obj["metadata"].get("name", ""),
            f"unable to create new content in namespace {name} because it is being terminated",
            [cause],
        )  # fmt: skip


def admit_delete(call: Call) -> None:
    """The system's own namespaces stay."""
    if call.resource.name == "namespaces" and call.target.name in IMMORTAL:
        raise errors.forbidden(call.resource, call.target.name, "this namespace may not be deleted")
