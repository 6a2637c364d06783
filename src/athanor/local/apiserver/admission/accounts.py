"""Every namespace has a `default` ServiceAccount and the authority's certificate, from the start.

They are written together with the namespace, so that a pod created right after it finds them.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.core import Core, encoder
from athanor.local.store.model import Key, Write

ROOT_CA = "kube-root-ca.crt"


def furniture(core: Core, namespace: str) -> list[Write]:
    """The writes that a namespace lacks, and the one that brings its certificate up to date."""
    found = []
    for resource, name, obj in (
        ("serviceaccounts", "default", {"kind": "ServiceAccount"}),
        ("configmaps", ROOT_CA, {"kind": "ConfigMap", "data": {"ca.crt": core.authority}, **_NOTE}),
    ):
        key = Key(resource, namespace, name)
        if core.store.latest(key) is None:
            found.append(Write(key, encoder(_made(core, obj, key)), 0))
    if refreshed := _refreshed(core, Key("configmaps", namespace, ROOT_CA)):
        found.append(refreshed)
    return found


def _refreshed(core: Core, key: Key) -> Write | None:
    """After a restore elsewhere the objects remember another authority than the one that serves."""
    row, have = core.store.latest(key), core.latest(*key)
    if row is None or have is None or (have.get("data") or {}).get("ca.crt") == core.authority:
        return None
    return Write(key, encoder({**have, "data": {"ca.crt": core.authority}}), row.revision)


def _made(core: Core, obj: JSON, key: Key) -> JSON:
    meta: JSON = {
        "name": key.name, "namespace": key.namespace, "uid": core.ids.uid(),
        "resourceVersion": "", "creationTimestamp": core.now(),
    }  # fmt: skip
    if notes := obj.get("annotations"):
        meta["annotations"] = notes
    rest = {k: v for k, v in obj.items() if k != "annotations"}
    return {"kind": obj["kind"], "apiVersion": "v1", "metadata": meta, **rest}


_NOTE = {
    "annotations": {
        "kubernetes.io/description": "Contains a CA bundle that can be used to verify the "
        "kube-apiserver when using internal endpoints such as the internal service IP or "
        "kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
        "clusters."
    }
}
"""What Kubernetes says of the certificate's ConfigMap."""
