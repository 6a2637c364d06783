"""What a real server writes as protobuf reads as what it writes as JSON.

The real control plane holds rich objects of every kind; each is fetched both ways and compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from athanor.api.meta import JSON
from athanor.api.registry import BUILT_IN, by_kind
from athanor.client.kubeconfig import load
from athanor.client.sync import SyncHttp
from athanor.wire import calls, protobuf
from athanor.wire.request import Request

RICH = Path(__file__).with_name("rich.yaml").read_text()
MANIFESTS: list[JSON] = list(yaml.safe_load_all(RICH))
TABLES_ONLY_JSON = ("apiextensions.k8s.io", "apiregistration.k8s.io")


def bare(value: Any) -> Any:
    """Without what both encodings may leave out: empty texts, lists, maps, zeros and nothing."""
    if isinstance(value, dict):
        kept = {key: bare(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in ("", 0, None, [], {})}
    if isinstance(value, list):
        return [bare(inner) for inner in value]
    return value


def fetch(server: SyncHttp, path: str, media: str) -> bytes:
    """One object's bytes in a media type."""
    answer = server.send(Request(method="GET", path=path, headers={"accept": media}))
    assert answer.status == 200, (path, answer.body)
    return answer.body


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: f"{m['kind']}")
def test_protobuf_reads_as_json(kubeconfig: Path, namespace: str, manifest: JSON) -> None:
    if not kubeconfig.parent.name.startswith("kubeplane-"):
        pytest.skip("only the real server writes protobuf")
    manifest = yaml.safe_load(yaml.safe_dump(manifest).replace("NAMESPACE", namespace))
    namespaces = by_kind("v1", "Namespace")
    resource = by_kind(manifest["apiVersion"], manifest["kind"])
    assert namespaces is not None and resource is not None
    name = f"{namespace}-{manifest['kind'].lower()}"
    metadata = {**manifest.get("metadata", {}), "name": name}
    if resource.namespaced:
        metadata["namespace"] = namespace
    path = resource.path(namespace, name)
    server = SyncHttp(load([kubeconfig]).target())
    try:
        server(calls.create(namespaces, {"metadata": {"name": namespace}}))
        server(calls.create(resource, {**manifest, "metadata": metadata}))
        for _ in range(20):  # controllers of the real plane may write in between
            as_json = calls.raw("GET", path).decode(fetch(server, path, "application/json"))
            as_protobuf = protobuf.decode(fetch(server, path, protobuf.MEDIA))
            versions = {o["metadata"]["resourceVersion"] for o in (as_json, as_protobuf)}
            if len(versions) == 1:
                break
        assert bare(as_protobuf) == bare(as_json)
    finally:
        server.close()


def test_every_kind_is_compared_or_read_as_json_only() -> None:
    compared = {(m["apiVersion"], m["kind"]) for m in MANIFESTS}
    missing = [
        r.kind
        for r in BUILT_IN
        if (r.api_version, r.kind) not in compared and r.group not in TABLES_ONLY_JSON
    ]
    assert missing == []
