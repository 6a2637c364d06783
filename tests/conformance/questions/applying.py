"""Server-side apply: who owns what, lists by key, conflicts, force, and giving fields up."""

from __future__ import annotations

from tests.conformance.scenario import get, patch, post, put

PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
CMS = "/api/v1/namespaces/{ns}/configmaps"
CM = CMS + "/a"
SVC = "/api/v1/namespaces/{ns}/services/a"


def _of(path, head, manager, query="", **more):
    return patch(f"{path}?fieldManager={manager}{query}", head, media="apply", **more)


def _cm(manager, data=None, query="", meta=None, **more):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **(meta or {})}}
    return _of(CM, {**body, **({"data": data} if data is not None else {})}, manager, query, **more)


def _pod(manager, spec, query="", meta=None, **more):
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **(meta or {})}}
    return _of(POD, {**body, "spec": spec}, manager, query, **more)


def _svc(manager, spec, query="", **more):
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}
    return _of(SVC, body, manager, query, **more)


C, D = {"name": "c", "image": "x:1"}, {"name": "d", "image": "y:1"}
P80 = {"port": 80, "name": "a", "protocol": "TCP"}
FORCE = "&force=true"

SCENARIOS = {
    "shared ownership": [
        _cm("one", {"a": "1"}, code=201),
        _cm("two", {"a": "1", "b": "2"}),
        _cm("one", {}),
        _cm("two", {"b": "2"}),
        get(CM),
    ],
    "several conflicts": [
        _cm("one", {"a": "1", "b": "2"}, code=201),
        _cm("two", {"c": "3"}),
        _cm("three", {"a": "x", "b": "y", "c": "z"}, code=409),
        _cm("three", {"a": "x", "b": "y", "c": "z"}, FORCE),
        _cm("one", {"a": "1"}, code=409),
        get(CM),
    ],
    "conflicts with an update": [
        post(CMS + "?fieldManager=writer", {"metadata": {"name": "a"}, "data": {"a": "1"}}),
        _cm("one", {"a": "2"}, code=409),
        _cm("one", {"a": "1"}),
        patch(CM + "?fieldManager=writer", {"data": {"a": "5"}}),
        _cm("one", {"a": "6"}, code=409),
        _cm("one", {"a": "6"}, FORCE),
    ],
    "containers by name": [
        _pod("one", {"containers": [C, D]}, code=201),
        _pod("two", {"containers": [{"name": "c", "image": "x:2"}]}, code=409),
        _pod("two", {"containers": [{"name": "c", "image": "x:2"}]}, FORCE),
        _pod("one", {"containers": [{"name": "c"}, D]}, code=(200, 409, 422)),
        get(POD),
    ],
    "ports by number and protocol": [
        _svc("one", {"ports": [P80], "selector": {"a": "b"}}, code=201),
        _svc("two", {"ports": [{"port": 81, "name": "b", "protocol": "TCP"}]}),
        _svc("one", {"ports": [{**P80, "targetPort": 8080}], "selector": {"a": "c"}}),
        _svc("one", {"ports": [P80]}),
        _svc("two", {"ports": [{"port": 80, "name": "z", "protocol": "TCP"}]}, code=409),
        get(SVC),
    ],
    "a key said twice": [
        _pod("one", {"containers": [C, {**C, "image": "z"}]}, code=(400, 500)),
        _svc("one", {"ports": [P80, {**P80, "name": "q"}]}, code=(400, 500)),
    ],
    "a key not said": [_pod("one", {"containers": [{"image": "x"}]}, code=(400, 422, 500))],
    "sets of finalizers": [
        _cm("one", meta={"finalizers": ["example.com/a"]}, code=201),
        _cm("two", meta={"finalizers": ["example.com/b"]}),
        _cm("one", meta={}),
        get(CM),
        _cm("two", meta={}),
        get(CM),
        _cm("two", meta={"finalizers": ["example.com/b", "example.com/b"]}, code=(400, 500)),
    ],
    "maps of labels": [
        _cm("one", meta={"labels": {"a": "1", "b": "1"}}, code=201),
        _cm("two", meta={"labels": {"b": "2"}}, code=409),
        _cm("two", meta={"labels": {"c": "2"}, "annotations": {"d": "3"}}),
        _cm("one", meta={"labels": {"a": "1"}}),
        get(CM),
    ],
    "owners by uid": [
        post(CMS, {"metadata": {"name": "o"}}, save={"uid": "metadata.uid"}),
        _cm("one", meta={"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "{uid}"}]}, code=201),
        _cm("one", meta={}),
        get(CM),
    ],
    "an atomic map": [
        _svc("one", {"ports": [P80], "selector": {"a": "b"}}, code=201),
        _svc("two", {"selector": {"a": "b"}}),
        _svc("two", {"selector": {"a": "b", "c": "d"}}, code=409),
        _svc("two", {"selector": {"c": "d"}}, FORCE),
        get(SVC),
    ],
    "identity in an apply": [
        _cm("one", {"a": "1"}, code=201, ),
        get(CM, save={"uid": "metadata.uid", "rv": "metadata.resourceVersion"}),
        _cm("one", {"a": "2"}, meta={"resourceVersion": "1"}, code=409),
        _cm("one", {"a": "2"}, meta={"resourceVersion": "{rv}"}),
        _cm("one", {"a": "3"}, meta={"uid": "{uid}"}),
        _cm("one", {"a": "4"}, meta={"uid": "12345"}, code=409),
        _cm("one", {"a": "4"}, meta={"namespace": "other"}, code=400),
        _cm("one", {"a": "4"}, meta={"managedFields": [{}]}, code=(400, 200)),
    ],
    "an apply of nothing there": [
        _cm("one", {"a": "1"}, meta={"resourceVersion": "1"}, code=(404, 409)),
        _cm("one", {"a": "1"}, meta={"uid": "12345"}, code=(404, 409)),
        _cm("one", {"a": "1"}, "&dryRun=All", code=201),
        get(CM, code=404),
    ],
    "wrong applies": [
        _cm("one", {"a": "1"}, "&force=maybe", code=(400, 201)),
        patch(CM + "?fieldManager=x", b"- a\n", media="apply", code=400),
        patch(CM + "?fieldManager=x", b"{", media="apply", code=400),
        patch(CM + "?fieldManager=x", b"a: b\n", media="apply", code=400),
        patch(CM + "?fieldManager=x", {"apiVersion": "v1", "metadata": {"name": "a"}},
              media="apply", code=400),
        patch(CM + "?fieldManager=x", {"apiVersion": "v2", "kind": "ConfigMap",
                                       "metadata": {"name": "a"}}, media="apply", code=400),
        patch(CM + "?fieldManager=x", {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": 1},
                                       "metadata": {"name": "a"}}, media="apply", code=(400, 500)),
        _cm("x" * 129, {"a": "1"}, code=422),
        _cm("a%0Ab", {"a": "1"}, code=(422, 201)),
        patch(CM + "?fieldManager=x&fieldValidation=Strict", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "foo": "bar"},
            media="apply", code=(400, 500)),
    ],
    "nulls in an apply": [
        _cm("one", {"a": None}, code=(201, 400, 422)),
        _cm("one", {"a": "1"}, meta={"labels": None}, code=(200, 201)),
        get(CM),
    ],
    "a dry apply": [
        _cm("one", {"a": "1"}, code=201),
        _cm("one", {"a": "2"}, "&dryRun=All"),
        _cm("two", {"a": "2"}, "&dryRun=All", code=409),
        get(CM),
    ],
    "apply of a status": [
        _pod("one", {"containers": [C]}, code=201),
        _of(POD + "/status", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True"}]}}, "kubelet"),
        _of(POD + "/status", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "other", code=409),
        _of(POD + "/status", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "status": {"conditions": [{"type": "Other", "status": "False"}]}}, "other"),
        _pod("one", {"containers": [{**C, "image": "x:2"}]}),
        get(POD),
    ],
    "managed fields that are given up": [
        _cm("one", {"a": "1"}, code=201),
        patch(CM, {"metadata": {"managedFields": [{}]}}),
        _cm("two", {"a": "2"}),
        get(CM),
    ],
    "apply after kubectl's own": [
        post(CMS + "?fieldManager=kubectl-client-side-apply", {"metadata": {"name": "a"},
             "data": {"a": "1", "b": "2"}}),
        _cm("kubectl", {"a": "1"}, FORCE),
        get(CM),
    ],
    "an update after an apply": [
        _cm("one", {"a": "1", "b": "2"}, code=201),
        put(CM + "?fieldManager=put", {"metadata": {"name": "a"}, "data": {"a": "9"}}),
        _cm("one", {"a": "1", "b": "2"}, code=409),
        _cm("one", {"b": "2"}),
        get(CM),
    ],
    "environment by name": [
        _pod("one", {"containers": [{**C, "env": [{"name": "A", "value": "1"},
                                                  {"name": "B", "value": "2"}]}]}, code=201),
        _pod("one", {"containers": [{**C, "env": [{"name": "A", "value": "1"}]}]}, code=422),
        _pod("one", {"containers": [{**C, "env": [{"name": "A", "value": "1"},
                                                  {"name": "A", "value": "2"}]}]},
             code=(200, 422, 400, 500)),
    ],
    "quantities of an apply": [
        _pod("one", {"containers": [{**C, "resources": {"requests": {"cpu": "1000m"}}}]}, code=201),
        _pod("one", {"containers": [{**C, "resources": {"requests": {"cpu": "1"}}}]}),
        _pod("two", {"containers": [{"name": "c", "resources": {"requests": {"cpu": 1}}}]},
             code=(200, 409)),
        get(POD),
    ],
}  # fmt: skip
