"""Deletion in its variants: grace, propagation, preconditions, collections, namespaces."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post

CMS = "/api/v1/namespaces/{ns}/configmaps"
PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"


def _cm(name="a", **meta):
    return post(CMS, {"metadata": {"name": name, "labels": {"mine": "1"}, **meta}},
                save={f"{name}.uid": "metadata.uid"})  # fmt: skip


def _pod(name="a", **spec):
    spec = {"containers": [{"name": "c", "image": "x:1"}], **spec}
    return post(PODS, {"metadata": {"name": name, "labels": {"mine": "1"}}, "spec": spec})


def _owned(name, owner="a", **more):
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner,
                 "uid": f"{{{owner}.uid}}", **more}  # fmt: skip
    return _cm(name, ownerReferences=[reference])


ON_NODE = {"nodeName": "n-{ns}"}
CM = CMS + "/a"

SCENARIOS = {
    "options in the query": [
        _cm(),
        delete(CM + "?propagationPolicy=Sideways", code=422),
        delete(CM + "?gracePeriodSeconds=x", code=400),
        delete(CM + "?propagationPolicy=Background&gracePeriodSeconds=5"),
    ],
    "options in the body": [
        _cm(),
        delete(CM, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": "x"},
               code=400),
        delete(CM, {"kind": "Pod", "apiVersion": "v1"}, code=(400, 200)),
        delete(CM, {"kind": "DeleteOptions", "apiVersion": "v9"}, code=(400, 200)),
        _cm("b"),
        delete(CMS + "/b", {"dryRun": ["All", "All"]}, code=(200, 422)),
        delete(CMS + "/b", {"dryRun": ["Some"]}, code=422),
        delete(CMS + "/b", {"orphanDependents": True, "propagationPolicy": "Orphan"}, code=422),
        delete(CMS + "/b", b"nonsense", code=400),
        delete(CMS + "/b", {"nonsense": 1}),
    ],
    "the old word for orphans": [
        _cm(),
        _owned("child"),
        delete(CM, {"orphanDependents": True}),
        get(CM, code=404, within=10),
        get(CMS + "/child"),
    ],
    "preconditions": [
        _cm(),
        delete(CM, {"preconditions": {"uid": "other"}}, code=409),
        delete(CM, {"preconditions": {"resourceVersion": "1"}}, code=409),
        delete(CM, {"preconditions": {"uid": 7}}, code=400),
        delete(CM, {"preconditions": {"uid": "{a.uid}"}}),
    ],
    "a grace of plain objects": [
        _cm(finalizers=["example.com/x"]),
        delete(CM, {"gracePeriodSeconds": 30}),
        delete(CM, {"gracePeriodSeconds": 0}),
        patch(CM, {"metadata": {"finalizers": []}}),
        get(CM, code=404, within=10),
    ],
    "grace of a pod on a node": [
        _pod(**ON_NODE, terminationGracePeriodSeconds=20),
        delete(POD + "?dryRun=All"),
        delete(POD + "?gracePeriodSeconds=-1"),
        delete(POD, {"gracePeriodSeconds": 0}),
        get(POD, code=404),
    ],
    "a pod that is done": [
        _pod(**ON_NODE),
        patch(POD + "/status", {"status": {"phase": "Succeeded"}}),
        delete(POD),
        get(POD, code=404),
    ],
    "a pod with a finalizer": [
        _pod(**ON_NODE),
        patch(POD, {"metadata": {"finalizers": ["example.com/x"]}}),
        delete(POD, {"gracePeriodSeconds": 7}),
        delete(POD, {"gracePeriodSeconds": 3}),
        delete(POD, {"gracePeriodSeconds": 0}),
        patch(POD, {"metadata": {"finalizers": ["example.com/y"]}}, code=422),
        patch(POD, {"metadata": {"finalizers": None}}),
        get(POD, code=404),
    ],
    "labels of a deleted pod": [
        _pod(**ON_NODE, terminationGracePeriodSeconds=100),
        delete(POD),
        patch(POD, {"metadata": {"labels": {"late": "1"}}}),
        patch(POD, {"metadata": {"deletionTimestamp": None}}),
        patch(POD, {"metadata": {"deletionGracePeriodSeconds": 1}}),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "collections of pods": [
        _pod("a", **ON_NODE),
        _pod("b"),
        delete(PODS + "?labelSelector=mine&dryRun=All"),
        delete(PODS + "?labelSelector=mine&fieldSelector=spec.nodeName="),
        get(PODS),
        delete(PODS, {"gracePeriodSeconds": 0}),
        get(PODS),
    ],
    "collections with limits and mistakes": [
        _cm("a"),
        _cm("b"),
        delete(CMS + "?labelSelector=a+b", code=400),
        delete(CMS + "?fieldSelector=x.y=1", code=400),
        delete(CMS + "?labelSelector=mine", {"propagationPolicy": "Odd"}, code=422),
        delete(CMS + "?labelSelector=mine", {"preconditions": {"uid": "x"}}, code=(200, 409)),
        delete(CMS + "?labelSelector=mine&limit=1"),
        get(CMS + "?labelSelector=mine"),
    ],
    "a collection with a finalizer in it": [
        _cm("a", finalizers=["example.com/x"]),
        _cm("b"),
        delete(CMS + "?labelSelector=mine"),
        get(CMS + "?labelSelector=mine"),
        patch(CM, {"metadata": {"finalizers": None}}),
        get(CMS + "?labelSelector=mine"),
    ],
    "owners that are gone": [
        _cm("a"),
        _owned("child"),
        _owned("grandchild", "child"),
        delete(CM),
        get(CMS + "/grandchild", code=404, within=20),
    ],
    "an owner of another uid": [
        _cm("a"),
        post(CMS, {"metadata": {"name": "child", "ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "a",
            "uid": "11111111-1111-1111-1111-111111111111"}]}}),
        get(CMS + "/child", code=404, within=20),
    ],
    "two owners": [
        _cm("a"),
        _cm("b"),
        post(CMS, {"metadata": {"name": "child", "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": n, "uid": f"{{{n}.uid}}"}
            for n in ("a", "b")]}}),
        delete(CM),
        get(CMS + "/child", within=20, see={"metadata": {"ownerReferences": [{"name": "b"}]}}),
        delete(CMS + "/b"),
        get(CMS + "/child", code=404, within=20),
    ],
    "foreground waits for those that block": [
        _cm("a"),
        _owned("child", blockOwnerDeletion=True),
        patch(CMS + "/child", {"metadata": {"finalizers": ["example.com/x"]}}),
        delete(CM, {"propagationPolicy": "Foreground"}),
        get(CMS + "/child", within=20, see={"metadata": {"deletionTimestamp": "<time>"}},
            omit=("finalizers", "resourceVersion")),
        get(CM),
        patch(CMS + "/child", {"metadata": {"finalizers": None}},
              omit=("finalizers", "resourceVersion")),
        get(CM, code=404, within=20),
    ],
    "foreground does not wait for others": [
        _cm("a"),
        _owned("child"),
        delete(CM, {"propagationPolicy": "Foreground"}),
        get(CM, code=404, within=20),
        get(CMS + "/child", code=404, within=20),
    ],
    "an owner in two namespaces": [
        post("/api/v1/namespaces", {"metadata": {"name": "{ns}-o"}}, save={"uid": "metadata.uid"}),
        post(CMS, {"metadata": {"name": "child", "ownerReferences": [{
            "apiVersion": "v1", "kind": "Namespace", "name": "{ns}-o", "uid": "{uid}"}]}}),
        delete("/api/v1/namespaces/{ns}-o"),
        get("/api/v1/namespaces/{ns}-o", code=404, within=30),
        get(CMS + "/child", code=404, within=20),
    ],
    "owner references that are wrong": [
        post(CMS, {"metadata": {"name": "a", "ownerReferences": [
            {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "y", "controller": True},
            {"apiVersion": "v1", "kind": "X", "name": "z", "uid": "w", "controller": True}]}},
             code=422),
        post(CMS, {"metadata": {"name": "a", "ownerReferences": [{}]}}, code=422),
        post(CMS, {"metadata": {"name": "a", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "y"}]}}, code=422),
        post(CMS, {"metadata": {"name": "a", "ownerReferences": [
            {"apiVersion": "a/b/c", "kind": "X", "name": "x", "uid": "y"}]}}, code=422),
    ],
    "a namespace with finalizers of its own": [
        post("/api/v1/namespaces", {"metadata": {"name": "{ns}-f"},
                                    "spec": {"finalizers": ["example.com/x"]}}),
        delete("/api/v1/namespaces/{ns}-f"),
        get("/api/v1/namespaces/{ns}-f", within=20,
            see={"spec": {"finalizers": ["example.com/x"]}}),
        post("/api/v1/namespaces/{ns}-f/pods", {"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "c", "image": "x"}]}}, code=403),
        get("/api/v1/namespaces/{ns}-f", save={"rv": "metadata.resourceVersion"}),
        patch("/api/v1/namespaces/{ns}-f", {"spec": {"finalizers": None}}),
        post("/api/v1/namespaces/{ns}-f/finalize", {}, code=405),
    ],
    "a namespace is finalised by a PUT": [
        post("/api/v1/namespaces", {"metadata": {"name": "{ns}-g"},
                                    "spec": {"finalizers": ["example.com/x"]}}),
        delete("/api/v1/namespaces/{ns}-g"),
        get("/api/v1/namespaces/{ns}-g", within=20,
            see={"spec": {"finalizers": ["example.com/x"]}}),
        post("/api/v1/namespaces/{ns}-g", {}, code=405),
    ],
    "namespaces that stay": [
        delete("/api/v1/namespaces/kube-system?dryRun=All", code=403),
        delete("/api/v1/namespaces/default?dryRun=All", code=403),
        delete("/api/v1/namespaces", code=405),
    ],
    "nothing to delete": [
        delete(CM, code=404),
        delete(CMS + "?labelSelector=none"),
        delete(PODS + "/x/status", code=405),
        delete(LEASES + "/x", code=404),
        delete("/api/v1/nodes/{ns}-none", code=404),
    ],
    "created again": [
        _cm(),
        delete(CM),
        _cm(),
        get(CM),
    ],
}  # fmt: skip
