"""Kinds with a few rules each: Namespace, ConfigMap, Secret, Lease, RBAC, classes."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.kinds.base import Strategy


def _namespace(obj: JSON) -> None:
    meta = obj["metadata"]
    if meta.get("name"):
        meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]


def _new_namespace(obj: JSON) -> None:
    _namespace(obj)
    spec = obj.setdefault("spec", {})
    if "kubernetes" not in spec.setdefault("finalizers", []):
        spec["finalizers"].append("kubernetes")
    obj["status"] = {"phase": "Active"}


def _keep_finalizers(new: JSON, old: JSON) -> None:
    _namespace(new)
    new["spec"] = old.get("spec", {})


STRATEGIES: Mapping[str, Strategy] = {
    "namespaces": Strategy(
        create=_new_namespace, update=_keep_finalizers, name=names.label, answers_object=True
    ),
    **{
        f"{plural}.rbac.authorization.k8s.io": Strategy(name=names.path_segment)
        for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    },
}
