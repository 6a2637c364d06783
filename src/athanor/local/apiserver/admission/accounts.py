"""Every namespace has a `default` ServiceAccount and the authority's certificate, from the start.

They are written together with the namespace, so that a pod created right after it finds them.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.local.apiserver.core import Core, encoder
from athanor.local.store.model import Key, Write

ROOT_CA = "kube-root-ca.crt"


def furniture(core: Core, namespace: str) -> list[Write]:
    """The writes that a namespace lacks."""
    found = []
    for resource, name, obj in (
        ("serviceaccounts", "default", {"kind": "ServiceAccount"}),
        ("configmaps", ROOT_CA, {"kind": "ConfigMap", "data": {"ca.crt": core.authority}}),
    ):
        key = Key(resource, namespace, name)
        if core.store.latest(key) is None:
            found.append(Write(key, encoder(_made(core, obj, key)), 0))
    return found


def _made(core: Core, obj: JSON, key: Key) -> JSON:
    meta = {
        "name": key.name, "namespace": key.namespace, "uid": core.ids.uid(),
        "resourceVersion": "", "creationTimestamp": core.now(),
    }  # fmt: skip
    return {"kind": obj["kind"], "apiVersion": "v1", "metadata": meta, **obj}
