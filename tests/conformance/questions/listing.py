"""Lists and watches: pages, versions, selectors of labels and fields, bookmarks, wrong options."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post

CMS = "/api/v1/namespaces/{ns}/configmaps"
PODS = "/api/v1/namespaces/{ns}/pods"
MINE = "labelSelector=mine"
STREAM = "watch=1&timeoutSeconds=1"


def _cm(name, **labels):
    return post(CMS, {"metadata": {"name": name, "labels": {"mine": "1", **labels}}},
                save={name: "metadata.resourceVersion"})  # fmt: skip


def _pod(name, **spec):
    spec = {"containers": [{"name": "c", "image": "x:1"}], **spec}
    return post(PODS, {"metadata": {"name": name, "labels": {"mine": "1"}}, "spec": spec})


def _seen(selector):
    return get(f"{CMS}?labelSelector={selector}", code=(200, 400))


def _fields(path, *selectors):
    return [get(f"{path}?fieldSelector={s}", code=(200, 400)) for s in selectors]


THREE = (_cm("a", x="1"), _cm("b", x="2"), _cm("c"))

SCENARIOS = {
    "sets in selectors": [
        *THREE,
        _seen("x in (1,2),mine"),
        _seen("mine,x notin (1,2)"),
        _seen("mine=1,x=="),
        _seen("x in ()"),
        _seen("mine, x"),
        _seen("mine,!x,mine!=2"),
    ],
    "comparing selectors": [*THREE, _seen("x>1"), _seen("x<2"), _seen("x>a"), _seen("x>")],
    "wrong selectors": [
        _seen("a b"),
        _seen("x in"),
        _seen("x in (1"),
        _seen(",x"),
        _seen("=x"),
        _seen("!"),
        _seen("a=b=c"),
        _seen("UPPER/x=1"),
        _seen("x=" + "y" * 64),
        _seen("x in (a b)"),
        _seen("/x"),
        _seen("x notin 1"),
    ],
    "fields of pods": [
        _pod("a", restartPolicy="Never"),
        _pod("b", nodeName="n-{ns}"),
        *_fields(
            PODS,
            "spec.restartPolicy=Never",
            "spec.nodeName=n-{ns}",
            "spec.nodeName=",
            "status.phase!=Pending",
            "spec.schedulerName=default-scheduler,metadata.name=a",
            "spec.serviceAccountName=default,spec.nodeName=",
            "spec.hostNetwork=true",
            "status.podIP=",
            "status.nominatedNodeName=,metadata.name!=a",
            "status.podIPs=x",
            "spec.nodeName",
            "spec.nodeName==n-{ns}",
            "metadata.labels.mine=1",
        ),
        delete(PODS + "/b", {"gracePeriodSeconds": 0}),
    ],
    "fields of other kinds": [
        post("/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "s"}, "type": "x/y"}),
        *_fields("/api/v1/namespaces/{ns}/secrets", "type=x/y", "type!=x/y", "data=1"),
        *_fields("/api/v1/namespaces", "metadata.name={ns},status.phase=Active",
                 "metadata.name={ns},status.phase=Terminating", "spec.finalizers=x"),
        *_fields("/api/v1/nodes", "spec.unschedulable=true,metadata.name={ns}", "spec.taints=x"),
        *_fields("/api/v1/namespaces/{ns}/services", "spec.type=ClusterIP", "spec.clusterIP=None",
                 "spec.ports=1"),
        *_fields("/api/v1/namespaces/{ns}/resourcequotas", "metadata.namespace={ns}",
                 "spec.hard=1"),
        *_fields("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases", "spec.holderIdentity=x"),
        *_fields("/apis/events.k8s.io/v1/namespaces/{ns}/events", "regarding.kind=Pod",
                 "reportingController=x", "involvedObject.kind=x", "type=Normal"),
        *_fields("/api/v1/namespaces/{ns}/events", "involvedObject.name=x", "reason=R,type=Normal",
                 "source=kubelet", "reportingComponent=x", "involvedObject.uid=1",
                 "involvedObject.fieldPath=x", "involvedObject.apiVersion=v1", "message=x"),
    ],
    "pages of objects that change": [
        *THREE,
        get(f"{CMS}?limit=1&{MINE}", save={"next": "metadata.continue"}),
        delete(CMS + "/a"),
        delete(CMS + "/b"),
        _cm("d"),
        get(f"{CMS}?limit=1&{MINE}&continue={{next}}", save={"next": "metadata.continue"}),
        get(f"{CMS}?{MINE}&continue={{next}}"),
    ],
    "options that exclude each other": [
        *THREE,
        get(f"{CMS}?limit=1&{MINE}", save={"next": "metadata.continue"}),
        get(f"{CMS}?limit=1&continue={{next}}&resourceVersion={{a}}", code=400),
        get(f"{CMS}?limit=1&continue={{next}}&resourceVersion=0", code=(200, 400)),
        get(f"{CMS}?continue={{next}}&resourceVersionMatch=Exact&resourceVersion={{a}}", code=422),
        get(f"{CMS}?resourceVersionMatch=Sometimes&resourceVersion={{a}}", code=422),
        get(f"{CMS}?resourceVersionMatch=NotOlderThan", code=422),
        get(f"{CMS}?resourceVersion=x", code=400),
        get(f"{CMS}?resourceVersion=-1", code=400),
        get(f"{CMS}?limit=-1&{MINE}"),
        get(f"{CMS}?limit=1.5", code=400),
        get(f"{CMS}?timeoutSeconds=x", code=400),
        get(f"{CMS}?watch=maybe&timeoutSeconds=1&{MINE}", frames=[]),
        get(f"{CMS}?sendInitialEvents=true", code=422),
        get(f"{CMS}?allowWatchBookmarks=true&{MINE}"),
    ],
    "a list at a version": [
        *THREE,
        patch(CMS + "/a", {"data": {"k": "v"}}),
        get(f"{CMS}?{MINE}&limit=1&resourceVersion={{c}}&resourceVersionMatch=Exact",
            save={"next": "metadata.continue"}),
        get(f"{CMS}?{MINE}&limit=2&continue={{next}}"),
        get(f"{CMS}?{MINE}&limit=1&resourceVersion={{c}}"),
        get(f"{CMS}?{MINE}&limit=1&resourceVersion=0"),
        get(f"{CMS}?{MINE}&resourceVersion={{c}}"),
        get(f"{CMS}?{MINE}&resourceVersion=1&resourceVersionMatch=NotOlderThan"),
        get(f"{CMS}/a?resourceVersion=0"),
        get(f"{CMS}/a?resourceVersion=99999999", code=504),
        get(f"{CMS}/a?resourceVersion=x", code=400),
    ],
    "lists over namespaces": [
        *THREE,
        get(f"/api/v1/configmaps?{MINE}&fieldSelector=metadata.namespace={{ns}}"),
        get(f"/api/v1/configmaps?{MINE}&fieldSelector=metadata.namespace={{ns}},metadata.name=b"),
        get("/api/v1/namespaces/{ns}-nowhere/configmaps"),
        get("/api/v1/namespaces/{ns}-nowhere/configmaps/x", code=404),
        delete("/api/v1/namespaces/{ns}-nowhere/configmaps"),
        post("/api/v1/configmaps", {"metadata": {"name": "x"}}, code=(405, 400)),
    ],
    "one object by its collection's name": [
        *THREE,
        get(f"{CMS}?fieldSelector=metadata.name=a,metadata.name=b"),
        get(f"{CMS}?fieldSelector=metadata.name=zz"),
        get(f"{CMS}?{STREAM}&fieldSelector=metadata.name=b&resourceVersion={{a}}", frames=[]),
        get(f"{CMS}/b?{STREAM}", frames=[]),
    ],
    "a watch of a version": [
        *THREE,
        get(f"{CMS}?{STREAM}&{MINE}&resourceVersion={{b}}", frames=[]),
        get(f"{CMS}?{STREAM}&{MINE}&resourceVersion=0", frames=[]),
        get(f"{CMS}?{STREAM}&{MINE}&resourceVersion=99999999", frames=[]),
        get(f"{CMS}?{STREAM}&resourceVersion=x", code=400),
    ],
    "wrong watches": [
        get(f"{CMS}?{STREAM}&resourceVersionMatch=Exact&resourceVersion=1", code=422),
        get(f"{CMS}?{STREAM}&resourceVersionMatch=NotOlderThan", code=422),
        get(f"{CMS}?{STREAM}&sendInitialEvents=false", code=422),
        get(f"{CMS}?{STREAM}&sendInitialEvents=perhaps&resourceVersionMatch=NotOlderThan&{MINE}",
            frames=[]),
        get(f"{CMS}?{STREAM}&labelSelector=a+b", code=400),
        get(f"{CMS}?{STREAM}&fieldSelector=data.x=1", code=400),
        get(f"{CMS}?{STREAM}&continue=x", code=(200, 400, 422)),
    ],
    "initial events of a watch": [
        *THREE,
        get(f"{CMS}?{STREAM}&{MINE}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
            frames=[]),
        get(f"{CMS}?{STREAM}&{MINE}&sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
            frames=[]),
    ],
    "a watch of many kinds of change": [
        *THREE,
        patch(CMS + "/a", {"metadata": {"labels": {"mine": None}}}),
        patch(CMS + "/a", {"metadata": {"labels": {"mine": "2"}}}),
        patch(CMS + "/b", {"metadata": {"finalizers": ["example.com/x"]}}),
        delete(CMS + "/b"),
        patch(CMS + "/b", {"metadata": {"finalizers": None}}),
        get(f"{CMS}?{STREAM}&{MINE}&resourceVersion={{c}}", frames=[]),
        get(f"{CMS}?{STREAM}&labelSelector=mine%3D2&resourceVersion={{c}}", frames=[]),
    ],
    "watches as metadata and tables": [
        *THREE,
        get(f"{CMS}?{STREAM}&{MINE}&resourceVersion={{b}}", frames=[],
            headers={"accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}),
        get(f"{CMS}?{STREAM}&{MINE}", frames=[],
            headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}),
        get(f"{CMS}?{STREAM}&{MINE}&includeObject=None", frames=[],
            headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}),
    ],
    "what the client accepts": [
        *THREE,
        get(f"{CMS}/a", headers={"accept": "*/*"}),
        get(f"{CMS}/a", headers={"accept": "text/html, application/json;q=0.5"}),
        get(f"{CMS}/a", headers={"accept": "application/*"}),
        get(f"{CMS}/a", headers={"accept": "application/yaml"}),
        get(f"{CMS}/a", headers={"accept": "application/json;as=Table;g=meta.k8s.io;v=v2"},
            code=406),
        get(f"{CMS}/a", headers={"accept": "application/json;as=Nothing;g=meta.k8s.io;v=v1"},
            code=406),
        get(f"{CMS}/a", headers={
            "accept": "application/json;as=Table;g=meta.k8s.io;v=v9, application/json"}),
        get(f"{CMS}/a", headers={
            "accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"},
            code=(200, 400, 406)),
        get(f"{CMS}?includeObject=Some", headers={
            "accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}, code=(400, 422)),
    ],
}  # fmt: skip
