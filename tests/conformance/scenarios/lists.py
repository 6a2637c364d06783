"""Lists, selectors, pages, watches."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post

CMS = "/api/v1/namespaces/{ns}/configmaps"
OURS = "labelSelector=mine"


def _cm(name, **labels):
    return post(CMS, {"metadata": {"name": name, "labels": {"mine": "1", **labels}}},
                save={name: "metadata.resourceVersion"})  # fmt: skip


def _named(*names):
    return {"items": [{"metadata": {"name": n}} for n in names]}


THREE = [_cm("a", x="1"), _cm("b", x="2"), _cm("c")]

SCENARIOS = {
    "list": [
        *THREE,
        get(
            CMS + "?" + OURS,
            see={
                "kind": "ConfigMapList",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": "<version>", "continue": "<absent>"},
                **_named("a", "b", "c"),
            },
        ),
        get(
            "/api/v1/configmaps?labelSelector=mine,x&fieldSelector=metadata.namespace={ns}",
            see=_named("a", "b"),
        ),
    ],
    "label selectors": [
        *THREE,
        get(CMS + "?labelSelector=x=1", see=_named("a")),
        get(CMS + "?labelSelector=mine,x!=1", see=_named("b", "c")),
        get(CMS + "?labelSelector=x+in+(1,2)", see=_named("a", "b")),
        get(CMS + "?labelSelector=mine,!x", see=_named("c")),
        get(CMS + "?labelSelector=x>1", see=_named("b")),
        get(
            CMS + "?labelSelector=a+in",
            code=400,
            message="unable to parse requirement: found '' expected: '('",
        ),
    ],
    "field selectors": [
        *THREE,
        get(CMS + "?fieldSelector=metadata.name=b", see=_named("b")),
        get(CMS + "?fieldSelector=metadata.name!=b&" + OURS, see=_named("a", "c")),
        get(
            CMS + "?fieldSelector=spec.foo=1",
            code=400,
            message='"spec.foo" is not a known field selector: only "metadata.name", '
            '"metadata.namespace"',
        ),
        get(
            "/api/v1/namespaces/{ns}/pods?fieldSelector=spec.foo=1",
            code=400,
            message="~.*field label not supported: spec.foo",
        ),
    ],
    "pages": [
        *THREE,
        get(
            CMS + "?limit=1",
            see={"metadata": {"continue": "<any>", "remainingItemCount": 3}, **_named("a")},
            save={"next": "metadata.continue"},
        ),
        get(
            CMS + "?limit=2&continue={next}",
            see={"metadata": {"continue": "<any>", "remainingItemCount": 1}, **_named("b", "c")},
            save={"next": "metadata.continue"},
        ),
        get(
            CMS + "?limit=2&continue={next}",
            see={
                "metadata": {"continue": "<absent>", "remainingItemCount": "<absent>"},
                **_named("kube-root-ca.crt"),
            },
        ),
    ],
    "pages show one moment": [
        *THREE,
        get(CMS + "?limit=1", save={"next": "metadata.continue", "rv": "metadata.resourceVersion"}),
        delete(CMS + "/b"),
        _cm("bb"),
        get(
            CMS + "?limit=2&continue={next}",
            see={"metadata": {"resourceVersion": "{rv}"}, **_named("b", "c")},
        ),
    ],
    "pages with a selector count nothing": [
        *THREE,
        get(
            CMS + "?limit=1&" + OURS,
            see={
                "metadata": {"continue": "<any>", "remainingItemCount": "<absent>"},
                **_named("a"),
            },
        ),
    ],
    "wrong pages": [
        get(CMS + "?limit=x", code=400, message='strconv.ParseInt: parsing "x": invalid syntax'),
        get(
            CMS + "?limit=1&continue=abc",
            code=400,
            message="~invalid continue token: continue key is not valid: .*",
        ),
    ],
    "an older version exactly": [
        *THREE,
        delete(CMS + "/a"),
        get(
            CMS + "?resourceVersion={c}&resourceVersionMatch=Exact&" + OURS,
            see={"metadata": {"resourceVersion": "{c}"}, **_named("a", "b", "c")},
        ),
        get(
            CMS + "?resourceVersion={c}&resourceVersionMatch=NotOlderThan&" + OURS,
            see=_named("b", "c"),
        ),
        get(CMS + "?resourceVersion=0&" + OURS, see=_named("b", "c")),
    ],
    "wrong versions": [
        get(
            CMS + "?resourceVersionMatch=Exact",
            code=422,
            message='ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        get(
            CMS + "?resourceVersion=0&resourceVersionMatch=Exact",
            code=422,
            message='~.*resourceVersionMatch.*forbidden for resourceVersion "0"',
        ),
        get(
            CMS + "?resourceVersion=99999999",
            code=504,
            see={
                "reason": "Timeout",
                "details": {
                    "causes": [{"reason": "ResourceVersionTooLarge"}],
                    "retryAfterSeconds": 1,
                },
            },
        ),
    ],
    "watch from a version": [
        *THREE,
        patch(CMS + "/b", {"data": {"k": "v"}}),
        delete(CMS + "/c"),
        get(
            CMS + "?watch=1&timeoutSeconds=1&resourceVersion={a}",
            frames=[
                ("ADDED", {"kind": "ConfigMap", "metadata": {"name": "b"}, "data": "<absent>"}),
                ("ADDED", {"metadata": {"name": "c"}}),
                ("MODIFIED", {"metadata": {"name": "b"}, "data": {"k": "v"}}),
                ("DELETED", {"metadata": {"name": "c", "resourceVersion": "<version>"}}),
            ],
        ),
    ],
    "watch from now": [
        *THREE,
        get(
            CMS + "?watch=true&timeoutSeconds=1&" + OURS,
            frames=[
                ("ADDED", {"metadata": {"name": "a"}}),
                ("ADDED", {"metadata": {"name": "b"}}),
                ("ADDED", {"metadata": {"name": "c"}}),
            ],
        ),
    ],
    "a streaming list": [
        *THREE,
        get(
            CMS + "?watch=1&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
            "&resourceVersionMatch=NotOlderThan&labelSelector=x",
            more=True,
            frames=[
                ("ADDED", {"metadata": {"name": "a"}}),
                ("ADDED", {"metadata": {"name": "b"}}),
                (
                    "BOOKMARK",
                    {
                        "kind": "ConfigMap",
                        "apiVersion": "v1",
                        "metadata": {
                            "resourceVersion": "<version>",
                            "annotations": {"k8s.io/initial-events-end": "true"},
                        },
                    },
                ),
            ],
        ),
        get(
            CMS + "?watch=1&timeoutSeconds=1&sendInitialEvents=true",
            code=422,
            message='ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    ],
    "selectors in a watch": [
        *THREE,
        patch(CMS + "/a", {"metadata": {"labels": {"x": "9"}}}),
        patch(CMS + "/a", {"metadata": {"labels": {"x": "1"}}}),
        patch(CMS + "/a", {"data": {"k": "v"}}),
        delete(CMS + "/a"),
        get(
            CMS + "?watch=1&timeoutSeconds=1&resourceVersion={c}&labelSelector=x=1",
            frames=[
                ("DELETED", {"metadata": {"name": "a", "labels": {"x": "1"}}}),
                ("ADDED", {"metadata": {"name": "a", "labels": {"x": "1"}}}),
                ("MODIFIED", {"data": {"k": "v"}}),
                ("DELETED", {"metadata": {"name": "a"}}),
            ],
        ),
    ],
    "watch one object": [
        *THREE,
        delete(CMS + "/a"),
        get(
            CMS + "?watch=1&timeoutSeconds=1&resourceVersion={c}&fieldSelector=metadata.name=a",
            frames=[("DELETED", {"metadata": {"name": "a"}})],
        ),
    ],
    "delete a collection": [
        *THREE,
        delete(CMS + "?labelSelector=x", see={"kind": "ConfigMapList", **_named("a", "b")}),
        get(CMS + "?" + OURS, see=_named("c")),
    ],
    "tables": [
        *THREE,
        get(
            CMS + "?" + OURS,
            headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"},
            see={
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "columnDefinitions": [
                    {"name": "Name", "type": "string"},
                    {"name": "Data"},
                    {"name": "Age"},
                ],
                "rows": [
                    {"cells": ["a", 0, "<any>"], "object": {"kind": "PartialObjectMetadata"}},
                    {"cells": ["b", 0, "<any>"]},
                    {"cells": ["c", 0, "<any>"]},
                ],
            },
        ),
        get(
            CMS + "/a?includeObject=None",
            headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"},
            see={"kind": "Table", "rows": [{"cells": ["a", 0, "<any>"], "object": "<absent>"}]},
        ),
    ],
}
