"""Merge, JSON and strategic patches; server-side apply."""

from __future__ import annotations

from tests.conformance.scenario import get, patch, post

CMS = "/api/v1/namespaces/{ns}/configmaps"
CM = CMS + "/a"
PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
MADE = post(CMS, {"metadata": {"name": "a", "labels": {"l": "x"}}, "data": {"k": "1", "j": "2"}},
            save={"rv": "metadata.resourceVersion", "uid": "metadata.uid"})  # fmt: skip
POD_MADE = post(PODS, {"metadata": {"name": "a"}, "spec": {
    "containers": [{"name": "c", "image": "x:1"}, {"name": "d", "image": "y:1"}]}})  # fmt: skip


def _applied(data, **meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", **meta},
        "data": data,
    }


def _apply(data, manager, **more):
    force = "&force=true" if more.pop("force", False) else ""
    return patch(f"{CM}?fieldManager={manager}{force}", _applied(data), media="apply", **more)


SCENARIOS = {
    "merge patch": [
        MADE,
        patch(
            CM,
            {"data": {"k": "3", "j": None}, "metadata": {"annotations": {"n": "v"}}},
            see={"data": {"k": "3", "j": "<absent>"}, "metadata": {"annotations": {"n": "v"}}},
        ),
        patch(CM, {"data": {"a": 1}}, code=(400, 422)),
        patch(CM, b"[]", code=400),
        patch(CM, b"zz", code=400),
    ],
    "a patch with a version or uid": [
        MADE,
        patch(
            CM,
            {"metadata": {"resourceVersion": "1"}},
            code=409,
            message="~.*the object has been modified.*",
        ),
        patch(CM, {"metadata": {"uid": "1"}}, code=(409, 422)),
        patch(
            CM,
            {"metadata": {"resourceVersion": "{rv}"}, "data": {"k": "5"}},
            see={"data": {"k": "5"}},
        ),
    ],
    "a patch cannot rename": [
        MADE,
        patch(
            CM,
            {"metadata": {"name": "b"}},
            code=400,
            message="the name of the object (b) does not match the name on the URL (a)",
        ),
        patch(
            CM,
            {"metadata": {"namespace": "b"}},
            code=400,
            message="the namespace of the provided object does not match the namespace sent on "
            "the request",
        ),
    ],
    "json patch": [
        MADE,
        patch(
            CM,
            [
                {"op": "replace", "path": "/data/k", "value": "7"},
                {"op": "add", "path": "/metadata/labels/m", "value": "n"},
                {"op": "remove", "path": "/data/j"},
            ],
            media="patch",
            see={"data": {"k": "7", "j": "<absent>"}, "metadata": {"labels": {"l": "x", "m": "n"}}},
        ),
        patch(
            CM,
            [{"op": "test", "path": "/data/k", "value": "8"}],
            media="patch",
            code=422,
            see={"reason": "Invalid"},
        ),
        patch(CM, [{"op": "remove", "path": "/data/nope"}], media="patch", code=422),
    ],
    "strategic merge patch": [
        POD_MADE,
        patch(
            POD,
            {"spec": {"containers": [{"name": "d", "image": "y:2"}]}},
            media="strategic",
            see={
                "spec": {
                    "containers": [{"name": "c", "image": "x:1"}, {"name": "d", "image": "y:2"}]
                }
            },
        ),
        patch(
            POD,
            {"metadata": {"finalizers": ["example.com/a"]}},
            media="strategic",
            see={"metadata": {"finalizers": ["example.com/a"]}},
        ),
        patch(
            POD,
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}},
            media="strategic",
            see={"metadata": {"finalizers": "<absent>"}},
        ),
    ],
    "unknown patches": [
        MADE,
        patch(CM, {}, media="json", code=415, see={"reason": "UnsupportedMediaType"}),
        patch(
            CM + "?force=true&fieldManager=x",
            {},
            code=422,
            message='PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be '
            "specified for non-apply patch",
        ),
        patch(
            CM,
            {},
            media="apply",
            code=422,
            message='PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is '
            "required for apply patch",
        ),
    ],
    "apply creates": [
        _apply(
            {"k": "1"},
            "me",
            code=201,
            see={
                "data": {"k": "1"},
                "metadata": {
                    "uid": "<uid>",
                    "managedFields": [
                        {
                            "manager": "me",
                            "operation": "Apply",
                            "apiVersion": "v1",
                            "time": "<time>",
                            "fieldsType": "FieldsV1",
                            "fieldsV1": {"f:data": {"f:k": {}}},
                        }
                    ],
                },
            },
        ),
        _apply({"k": "2"}, "me", see={"data": {"k": "2"}}),
    ],
    "apply removes what it no longer wants": [
        _apply({"k": "1", "j": "2"}, "me", code=201),
        _apply({"k": "1"}, "me", see={"data": {"k": "1", "j": "<absent>"}}),
    ],
    "apply conflicts": [
        _apply({"k": "1"}, "me", code=201),
        _apply(
            {"k": "2"},
            "you",
            code=409,
            message='Apply failed with 1 conflict: conflict with "me": .data.k',
            see={
                "reason": "Conflict",
                "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.k"}]},
            },
        ),
        _apply({"k": "2"}, "you", force=True, see={"data": {"k": "2"}}),
        _apply({"k": "2"}, "me", see={"data": {"k": "2"}}),
    ],
    "apply leaves others' fields": [
        _apply({"k": "1"}, "me", code=201),
        _apply({"j": "1"}, "you", see={"data": {"k": "1", "j": "1"}}),
        _apply({}, "you", see={"data": {"k": "1", "j": "<absent>"}}),
    ],
    "apply in yaml": [
        patch(
            CM + "?fieldManager=me",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 'on'}\n",
            media="apply",
            code=201,
            see={"data": {"k": "on"}},
        ),
    ],
    "apply over an update": [
        MADE,
        _apply({"k": "9"}, "me", code=409, message="~Apply failed with 1 conflict: .*"),
        get(CM, see={"data": {"k": "1"}}),
    ],
    "apply a wrong object": [
        patch(
            CM + "?fieldManager=me",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}},
            media="apply",
            code=400,
            message="the name of the object (b) does not match the name on the URL (a)",
        ),
        patch(
            CM + "?fieldManager=me",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "foo": 1},
            media="apply",
            code=(400, 500),
            message="~.*(failed to create typed patch object|unknown field).*foo.*",
        ),
    ],
}
