"""Client requests: the paths, queries and bodies of Kubernetes' API."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api.core import Node, Pod
from athanor.api.registry import of
from athanor.wire import calls
from athanor.wire.request import Response
from athanor.wire.status import ApiError

PODS, NODES = of(Pod), of(Node)


def test_paths() -> None:
    assert calls.get(Pod, "a", "ns").request.path == "/api/v1/namespaces/ns/pods/a"
    assert calls.get(Node, "n").request.path == "/api/v1/nodes/n"
    assert calls.list_(Pod).request.path == "/api/v1/pods"
    assert calls.patch(PODS, "a", "ns", {}, subresource="status").request.path.endswith("/a/status")


def test_queries() -> None:
    listed = calls.list_(Pod, "ns", labels="a=b", limit=5, continue_="x", resource_version="0")
    assert dict(listed.request.query) == {
        "labelSelector": "a=b", "limit": "5", "continue": "x", "resourceVersion": "0",
    }  # fmt: skip
    watched = calls.watch(PODS, resource_version="7", send_initial_events=True)
    assert watched.param("watch") == "1"
    assert watched.param("allowWatchBookmarks") == "true"
    assert watched.param("sendInitialEvents") == "true"
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    applied = calls.apply(NODES, manifest, manager="me", force=True, dry_run=True).request
    assert dict(applied.query) == {"fieldManager": "me", "force": "true", "dryRun": "All"}
    assert applied.headers["content-type"] == "application/apply-patch+yaml"


def test_preconditions_of_a_delete() -> None:
    sent = calls.delete(PODS, "a", "ns", uid="u", grace_seconds=0, propagation="Foreground").request
    assert msgspec.json.decode(sent.body) == {
        "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0, "propagationPolicy": "Foreground",
    }  # fmt: skip


def test_reading_answers() -> None:
    call = calls.get(Pod, "a", "ns")
    found = call.read(Response(body=b'{"metadata":{"name":"a"},"spec":{"nodeName":"n"}}'))
    assert (found.metadata.name, found.spec.node_name) == ("a", "n")
    page = calls.list_(Pod).read(
        Response(body=b'{"metadata":{"resourceVersion":"9","continue":"t"},"items":[{}]}')
    )
    assert (page.metadata.resource_version, page.metadata.continue_, len(page.items)) == (
        "9", "t", 1,
    )  # fmt: skip
    gone = ApiError("NotFound", 'pods "a" not found').response()
    with pytest.raises(ApiError, match="not found"):
        call.read(gone)
