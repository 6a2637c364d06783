"""What happens around objects: quota, owners, endpoints, storage in use, reviews."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post

NS = "/api/v1/namespaces/{ns}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
PCS = "/apis/scheduling.k8s.io/v1/priorityclasses"
SCS = "/apis/storage.k8s.io/v1/storageclasses"
IMMUTABLE = "Forbidden: field is immutable when `immutable` is set"


def _named(name, **more):
    return {"metadata": {"name": name}, **more}


def _refused(path, body, *causes):
    return post(path + "?dryRun=All", body, code=422, see={"details": {
        "causes": [{"field": f, "message": m} for f, m in causes]}})  # fmt: skip


def _pod(name, **container):
    return _named(name, spec={"containers": [{"name": "c", "image": "x:1", **container}]})


SCENARIOS = {
    "a terminating namespace takes nothing": [
        post("/api/v1/namespaces", _named("{ns}-t")),
        get("/api/v1/namespaces/{ns}-t/serviceaccounts/default", within=10),
        post(
            "/api/v1/namespaces/{ns}-t/configmaps",
            {"metadata": {"name": "x", "finalizers": ["example.com/hold"]}},
        ),
        delete("/api/v1/namespaces/{ns}-t"),
        post(
            "/api/v1/namespaces/{ns}-t/configmaps",
            _named("y"),
            code=403,
            message='configmaps "y" is forbidden: unable to create new content in namespace '
            "{ns}-t because it is being terminated",
            see={
                "details": {
                    "causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]
                }
            },
        ),
        patch(
            "/api/v1/namespaces/{ns}-t/configmaps/x", {"metadata": {"finalizers": None}}, within=5
        ),
        get("/api/v1/namespaces/{ns}-t", code=404, within=30),
    ],
    "endpoints follow pods": [
        post("/api/v1/nodes", _named("n-{ns}")),
        post(
            NS + "/services",
            _named("s", spec={"selector": {"app": "x"}, "ports": [{"port": 80}]}),
            save={"uid": "metadata.uid"},
        ),
        post(NS + "/pods", {**_pod("p"), "metadata": {"name": "p", "labels": {"app": "x"}}}),
        post(NS + "/pods/p/binding", {"metadata": {"name": "p"}, "target": {"name": "n-{ns}"}}),
        patch(
            NS + "/pods/p/status",
            {
                "status": {
                    "phase": "Running",
                    "podIP": "10.1.2.3",
                    "podIPs": [{"ip": "10.1.2.3"}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                }
            },
        ),
        get(
            NS + "/endpoints/s",
            within=10,
            see={
                "subsets": [
                    {
                        "addresses": [
                            {
                                "ip": "10.1.2.3",
                                "nodeName": "n-{ns}",
                                "targetRef": {
                                    "kind": "Pod",
                                    "name": "p",
                                    "namespace": "{ns}",
                                    "uid": "<uid>",
                                },
                            }
                        ],
                        "ports": [{"port": 80, "protocol": "TCP"}],
                    }
                ]
            },
        ),
        get(
            "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
            "?labelSelector=kubernetes.io/service-name=s",
            within=10,
            see={
                "items": [
                    {
                        "addressType": "IPv4",
                        "metadata": {
                            "name": "~s-.{5}",
                            "ownerReferences": [
                                {"kind": "Service", "name": "s", "uid": "{uid}", "controller": True}
                            ],
                        },
                        "endpoints": [
                            {
                                "addresses": ["10.1.2.3"],
                                "conditions": {
                                    "ready": True,
                                    "serving": True,
                                    "terminating": False,
                                },
                            }
                        ],
                        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
                    }
                ]
            },
        ),
        delete(NS + "/pods/p", {"gracePeriodSeconds": 0}),
        get(NS + "/endpoints/s", within=10, see={"subsets": "<absent>"}),
        delete(NS + "/services/s"),
        get(NS + "/endpoints/s", code=404, within=10),
        delete("/api/v1/nodes/n-{ns}"),
    ],
    "claims": [
        post(
            NS + "/persistentvolumeclaims",
            _named(
                "c",
                spec={
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1024Mi"}},
                },
            ),
            see={
                "metadata": {"finalizers": ["kubernetes.io/pvc-protection"]},
                "spec": {"volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Gi"}}},
                "status": {"phase": "Pending"},
            },
        ),
        patch(
            NS + "/persistentvolumeclaims/c",
            {"spec": {"resources": {"requests": {"storage": "500Mi"}}}},
            code=422,
            message="~.*spec: Forbidden: spec is immutable after "
            "creation except resources.requests and volumeAttributesClassName for bound claims.*",
        ),
        _refused(
            NS + "/persistentvolumeclaims",
            _named("d", spec={}),
            ("spec.accessModes", "Required value: at least 1 access mode is required"),
            ("spec.resources[storage]", "Required value"),
        ),
        post(
            NS + "/pods",
            _named(
                "user",
                spec={
                    "containers": [{"name": "c", "image": "x"}],
                    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
                },
            ),
        ),
        post(NS + "/pods/user/binding", {"metadata": {"name": "user"}, "target": {"name": "n"}}),
        delete(NS + "/persistentvolumeclaims/c"),
        get(NS + "/persistentvolumeclaims/c", see={"metadata": {"deletionTimestamp": "<time>"}}),
        delete(NS + "/pods/user", {"gracePeriodSeconds": 0}),
        get(NS + "/persistentvolumeclaims/c", code=404, within=10),
    ],
    "quota": [
        post(
            NS + "/resourcequotas",
            _named("q", spec={"hard": {"pods": "1", "requests.cpu": "1"}}),
            see={"status": {}},
        ),
        get(
            NS + "/resourcequotas/q",
            within=10,
            see={
                "status": {
                    "hard": {"pods": "1", "requests.cpu": "1"},
                    "used": {"pods": "0", "requests.cpu": "0"},
                }
            },
        ),
        post(
            NS + "/pods",
            _pod("a"),
            code=403,
            message='pods "a" is forbidden: failed quota: q: must specify requests.cpu for: c',
        ),
        post(
            NS + "/pods",
            _pod("a", resources={"requests": {"cpu": "2"}}),
            code=403,
            message='pods "a" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: '
            "requests.cpu=0, limited: requests.cpu=1",
        ),
        post(NS + "/pods", _pod("a", resources={"requests": {"cpu": "600m"}})),
        get(
            NS + "/resourcequotas/q",
            within=10,
            see={"status": {"used": {"pods": "1", "requests.cpu": "600m"}}},
        ),
        post(
            NS + "/pods",
            _pod("b", resources={"requests": {"cpu": "600m"}}),
            code=403,
            message='~pods "b" is forbidden: exceeded quota: q, requested: '
            "pods=1,requests.cpu=600m, used: pods=1,requests.cpu=600m, limited: "
            "pods=1,requests.cpu=1",
        ),
        delete(NS + "/pods/a", {"gracePeriodSeconds": 0}),
        get(
            NS + "/resourcequotas/q",
            within=10,
            see={"status": {"used": {"pods": "0", "requests.cpu": "0"}}},
        ),
        _refused(
            NS + "/resourcequotas",
            _named("r", spec={"hard": {"pods": "-1"}}),
            ("spec.hard[pods]", 'Invalid value: "-1": must be greater than or equal to 0'),
        ),
    ],
    "events in two versions": [
        post(
            NS + "/events",
            {
                **_named("e"),
                "involvedObject": {"kind": "Pod", "namespace": "{ns}"},
                "reason": "R",
                "message": "m",
                "type": "Normal",
                "count": 2,
            },
            see={"count": 2},
        ),
        get(
            "/apis/events.k8s.io/v1/namespaces/{ns}/events/e",
            see={
                "apiVersion": "events.k8s.io/v1",
                "regarding": {"kind": "Pod"},
                "note": "m",
                "deprecatedCount": 2,
                "involvedObject": "<absent>",
                "message": "<absent>",
            },
        ),
        post(
            "/apis/events.k8s.io/v1/namespaces/{ns}/events",
            {
                **_named("f"),
                "regarding": {"kind": "Pod", "namespace": "{ns}"},
                "reason": "R",
                "note": "n",
                "type": "Normal",
                "eventTime": "2026-01-01T00:00:00.000000Z",
                "reportingController": "a.b/c",
                "reportingInstance": "i",
                "action": "A",
            },
            see={"note": "n", "reportingController": "a.b/c"},
        ),
        get(
            NS + "/events/f",
            see={"message": "n", "involvedObject": {"kind": "Pod"}, "reportingComponent": "a.b/c"},
        ),
        get(
            NS + "/events?fieldSelector=involvedObject.kind=Pod,reason=R",
            see={"items": [{"metadata": {"name": "e"}}, {"metadata": {"name": "f"}}]},
        ),
        _refused(
            NS + "/events",
            {**_named("g"), "involvedObject": {"namespace": "other"}},
            ("involvedObject.namespace", 'Invalid value: "other": does not match event.namespace'),
        ),
    ],
    "access reviews": [
        post(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
            see={"status": {"allowed": True}},
        ),
        get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", code=405),
        post(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "spec": {
                    "user": "nobody-{ns}",
                    "resourceAttributes": {"verb": "get", "resource": "pods"},
                }
            },
            see={"kind": "SubjectAccessReview"},
        ),
    ],
    "dependents go with their owner": [
        post(NS + "/configmaps", _named("owner"), save={"uid": "metadata.uid"}),
        post(
            NS + "/configmaps",
            {
                "metadata": {
                    "name": "child",
                    "ownerReferences": [
                        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "{uid}"}
                    ],
                }
            },
        ),
        delete(NS + "/configmaps/owner"),
        get(NS + "/configmaps/child", code=404, within=20),
    ],
    "orphans stay": [
        post(NS + "/configmaps", _named("owner"), save={"uid": "metadata.uid"}),
        post(
            NS + "/configmaps",
            {
                "metadata": {
                    "name": "child",
                    "ownerReferences": [
                        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "{uid}"}
                    ],
                }
            },
        ),
        delete(
            NS + "/configmaps/owner",
            {"propagationPolicy": "Orphan"},
            see={"metadata": {"finalizers": ["orphan"]}},
        ),
        get(NS + "/configmaps/owner", code=404, within=20),
        get(NS + "/configmaps/child", see={"metadata": {"ownerReferences": "<absent>"}}),
    ],
    "foreground deletion": [
        post(NS + "/configmaps", _named("owner"), save={"uid": "metadata.uid"}),
        post(
            NS + "/configmaps",
            {
                "metadata": {
                    "name": "child",
                    "finalizers": ["example.com/hold"],
                    "ownerReferences": [
                        {
                            "apiVersion": "v1",
                            "kind": "ConfigMap",
                            "name": "owner",
                            "uid": "{uid}",
                            "blockOwnerDeletion": True,
                        }
                    ],
                }
            },
        ),
        delete(
            NS + "/configmaps/owner",
            {"propagationPolicy": "Foreground"},
            see={"metadata": {"finalizers": ["foregroundDeletion"]}},
        ),
        get(NS + "/configmaps/child", within=20, see={"metadata": {"deletionTimestamp": "<time>"}}),
        get(NS + "/configmaps/owner", see={"metadata": {"deletionTimestamp": "<time>"}}),
        patch(NS + "/configmaps/child", {"metadata": {"finalizers": None}}),
        get(NS + "/configmaps/owner", code=404, within=20),
    ],
}
