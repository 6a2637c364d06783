"""Merge, JSON and strategic merge patches in all their directives and mistakes."""

from __future__ import annotations

from tests.conformance.scenario import get, patch, post

PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
CMS = "/api/v1/namespaces/{ns}/configmaps"
CM = CMS + "/a"
SVC = "/api/v1/namespaces/{ns}/services/a"
MADE = post(CMS, {"metadata": {"name": "a", "labels": {"l": "x", "m": "y"}},
                  "data": {"a": "1", "b": "2"}})  # fmt: skip
POD_MADE = post(PODS, {"metadata": {"name": "a", "labels": {"l": "x"}}, "spec": {
    "containers": [{"name": "c", "image": "x:1"}, {"name": "d", "image": "y:1"}],
    "tolerations": [{"key": "k", "operator": "Exists"}]}})  # fmt: skip
SVC_MADE = post("/api/v1/namespaces/{ns}/services", {"metadata": {"name": "a"}, "spec": {
    "selector": {"a": "b", "c": "d"}, "ports": [
        {"name": "x", "port": 80}, {"name": "y", "port": 81, "protocol": "UDP"}]}})  # fmt: skip


def _json(*operations, path=CM, code=200):
    return patch(path, list(operations), media="patch", code=code)


def _op(op, path, value=None, **more):
    return {"op": op, "path": path, **({} if value is None else {"value": value}), **more}


def _strategic(body, path=POD, code=200):
    return patch(path, body, media="strategic", code=code)


BAD = (400, 422)
SCENARIOS = {
    "json patch: add, copy, move": [
        MADE,
        _json(_op("add", "/data/c", "3"), _op("copy", "/data/d", **{"from": "/data/a"}),
              _op("move", "/data/e", **{"from": "/data/b"})),
        _json(_op("add", "/data", {"z": "1"})),
        _json(_op("add", "/metadata/finalizers", ["example.com/a"])),
        _json(_op("add", "/metadata/finalizers/-", "example.com/c"),
              _op("add", "/metadata/finalizers/1", "example.com/b")),
        _json(_op("remove", "/metadata/finalizers/0")),
        _json(_op("replace", "/metadata/finalizers", [])),
    ],
    "json patch: tests": [
        MADE,
        _json(_op("test", "/data/a", "1"), _op("replace", "/data/a", "2")),
        _json(_op("test", "/data/a", "1"), _op("replace", "/data/a", "3"), code=422),
        _json(_op("test", "/data/zz", "1"), code=422),
        _json(_op("test", "/metadata/labels", {"l": "x", "m": "y"})),
        get(CM),
    ],
    "json patch: escaped names": [
        MADE,
        _json(_op("add", "/metadata/annotations", {"a/b": "1", "c~d": "2"}), code=BAD),
        _json(_op("add", "/metadata/annotations", {"a.b/c": "1"})),
        _json(_op("replace", "/metadata/annotations/a.b~1c", "2")),
    ],
    "json patch: what is not there": [
        MADE,
        _json(_op("replace", "/data/zz", "1"), code=422),
        _json(_op("remove", "/data/zz"), code=422),
        _json(_op("add", "/nothing/zz", "1"), code=422),
        _json(_op("copy", "/data/x", **{"from": "/data/zz"}), code=422),
        _json(_op("move", "/data/x", **{"from": "/data/zz"}), code=422),
        _json(_op("add", "/metadata/finalizers/3", "x"), code=422),
        _json(_op("remove", "/metadata/labels/l/x"), code=422),
    ],
    "json patch: wrong operations": [
        MADE,
        _json(_op("jump", "/data/a"), code=BAD),
        _json({"path": "/data/a"}, code=BAD),
        _json({"op": "add", "value": "1"}, code=BAD),
        _json({"op": "add", "path": "data/a", "value": "1"}, code=BAD),
        _json({"op": "add", "path": "/data/q"}, code=BAD),
        _json({"op": "copy", "path": "/data/q"}, code=BAD),
        patch(CM, {"op": "add"}, media="patch", code=400),
        patch(CM, b"[1]", media="patch", code=400),
        patch(CM, b"nonsense", media="patch", code=400),
        _json(),
        _json(_op("replace", "", {"a": "b"}), code=BAD),
    ],
    "json patch: identity": [
        MADE,
        _json(_op("replace", "/metadata/name", "b"), code=BAD),
        _json(_op("replace", "/metadata/namespace", "b"), code=BAD),
        _json(_op("remove", "/metadata/uid")),
        _json(_op("remove", "/metadata/resourceVersion"), _op("add", "/data/q", "1")),
        _json(_op("replace", "/metadata/resourceVersion", "1"), code=409),
        _json(_op("replace", "/kind", "Pod"), code=BAD),
        _json(_op("replace", "/apiVersion", "v2"), code=BAD),
        _json(_op("remove", "/metadata"), code=BAD),
    ],
    "merge patch: nulls and types": [
        MADE,
        patch(CM, {"data": None}),
        patch(CM, {"data": {"a": "1"}, "metadata": {"labels": None}}),
        patch(CM, {"data": "x"}, code=400),
        patch(CM, {"metadata": None}, code=(200, 400, 422)),
        patch(CM, {"metadata": {"labels": {"l": 1}}}, code=400),
        patch(CM, {"metadata": {"finalizers": "x"}}, code=400),
        patch(CM, {"metadata": {"labels": {"l": None, "n": "1"}}}),
        patch(CM, {}),
        patch(CM, b"null", code=(200, 400)),
        patch(CM, b'"x"', code=400),
        patch(CM, b"", code=(200, 400)),
    ],
    "merge patch: what is not a field": [
        MADE,
        patch(CM + "?fieldValidation=Strict", {"data": {"a": "5"}, "foo": {"a": 1}}, code=422),
        patch(CM + "?fieldValidation=Strict", b'{"data":{"a":"5","a":"6"}}', code=(400, 422)),
        patch(CM, b'{"data":{"a":"5","a":"6"}}'),
        patch(CM + "?fieldValidation=Ignore", {"foo": 1}),
        patch(CM, {"metadata": {"foo": "bar"}}),
        patch(CM + "?fieldValidation=Strict", {"metadata": {"foo": "bar"}}, code=422),
        patch(CM + "?fieldValidation=Never", {}, code=422),
    ],
    "strategic: lists by key": [
        POD_MADE,
        _strategic({"spec": {"containers": [{"name": "c", "image": "x:2"}]}}),
        _strategic({"spec": {"containers": [{"name": "e", "image": "z"}]}}, code=422),
        _strategic({"spec": {"containers": [{"name": "c", "$patch": "delete"}]}}, code=422),
        _strategic({"spec": {"containers": [{"image": "z"}]}}, code=(400, 422, 500)),
        _strategic({"spec": {"tolerations": [{"key": "k2", "operator": "Exists"}]}},
                   code=(200, 422)),
    ],
    "strategic: maps replaced and deleted": [
        MADE,
        _strategic({"data": {"$patch": "replace", "z": "1"}}, CM),
        _strategic({"metadata": {"labels": {"$patch": "delete"}}}, CM),
        _strategic({"data": {"$patch": "merge", "y": "1"}}, CM, code=(200, 400, 422, 500)),
        _strategic({"data": {"$patch": "strange", "y": "1"}}, CM, code=(400, 422, 500)),
        _strategic({"data": {"z": None, "x": "1"}}, CM),
    ],
    "strategic: order of elements": [
        SVC_MADE,
        _strategic({"spec": {"$setElementOrder/ports": [{"port": 81}, {"port": 80}],
                             "ports": [{"port": 80, "name": "x2"}]}}, SVC),
        _strategic({"spec": {"ports": [{"port": 81, "protocol": "UDP", "$patch": "delete"}]}}, SVC),
        _strategic({"spec": {"ports": [{"port": 82, "name": "z"}]}}, SVC),
        _strategic({"spec": {"ports": [{"$patch": "replace"}, {"port": 90, "name": "only"}]}}, SVC),
        _strategic({"spec": {"selector": {"a": None}}}, SVC),
        _strategic({"spec": {"selector": None}}, SVC),
    ],
    "strategic: primitive lists": [
        MADE,
        _strategic({"metadata": {"finalizers": ["example.com/a"]}}, CM),
        _strategic({"metadata": {"finalizers": ["example.com/b"]}}, CM),
        _strategic({"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/a"],
                                 "finalizers": ["example.com/b"]}}, CM),
        _strategic({"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}, CM),
        _strategic({"metadata": {"finalizers": []}}, CM),
        _strategic({"metadata": {"finalizers": None}}, CM),
    ],
    "strategic: keys that are kept": [
        post(PODS, {"metadata": {"name": "a"}, "spec": {
            "containers": [{"name": "c", "image": "x:1"}],
            "volumes": [{"name": "v", "emptyDir": {}}]}}),
        _strategic({"spec": {"volumes": [
            {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
            code=422),
        _strategic({"spec": {"$retainKeys": ["containers"], "containers": []}}, code=(200, 422)),
    ],
    "strategic: wrong shapes": [
        POD_MADE,
        _strategic({"spec": "x"}, code=(400, 422, 500)),
        _strategic({"spec": {"containers": {"name": "c"}}}, code=(400, 422, 500)),
        _strategic({"spec": {"containers": ["c"]}}, code=(400, 422, 500)),
        _strategic({"spec": None}, code=(400, 422)),
        patch(POD, b"[]", media="strategic", code=400),
        patch(POD, b"x", media="strategic", code=400),
        _strategic({"metadata": {"labels": {"l": 1}}}, code=(400, 422)),
        _strategic({"metadata": {"ownerReferences": [{"name": "x"}]}}, code=(400, 422, 500)),
    ],
    "patches of a subresource": [
        POD_MADE,
        _strategic({"status": {"conditions": [{"type": "A", "status": "True"}]}}, POD + "/status"),
        _strategic({"status": {"conditions": [{"type": "B", "status": "True"}]}}, POD + "/status"),
        _strategic({"status": {"conditions": [{"type": "A", "$patch": "delete"}]}},
                   POD + "/status"),
        _json(_op("add", "/status/phase", "Running"), path=POD + "/status"),
        patch(POD + "/status", {"status": {"containerStatuses": [
            {"name": "c", "image": "x", "ready": True, "restartCount": 0, "imageID": ""}]}}),
        patch(POD + "/status", {"status": {"phase": 1}}, code=400),
        patch(POD + "/status", {"status": {"nonsense": 1}}),
    ],
    "patches with options": [
        MADE,
        patch(CM + "?dryRun=All&fieldManager=m", {"data": {"a": "9"}}),
        patch(CM + "?dryRun=Some", {}, code=422),
        patch(CM + "?fieldManager=" + "x" * 129, {}, code=422),
        patch(CM + "?force=false", {}, code=(200, 422)),
        patch(CM + "?fieldManager=m", {"data": {"a": "10"}}),
        get(CM),
    ],
}  # fmt: skip
