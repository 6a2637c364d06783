"""The other built-in kinds: defaults, checks, immutable fields."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post, put

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
    "namespaces": [
        post(
            "/api/v1/namespaces",
            _named("{ns}-b"),
            see={
                "metadata": {
                    "labels": {"kubernetes.io/metadata.name": "{ns}-b"},
                    "generation": "<absent>",
                },
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            },
        ),
        get("/api/v1/namespaces/{ns}-b/serviceaccounts/default", within=10),
        get(
            "/api/v1/namespaces/{ns}-b/configmaps/kube-root-ca.crt",
            within=10,
            see={"data": {"ca.crt": "<any>"}},
        ),
        patch(
            "/api/v1/namespaces/{ns}-b",
            {"metadata": {"labels": {"a": "b"}}, "spec": {"finalizers": []}},
            see={
                "metadata": {"labels": {"a": "b", "kubernetes.io/metadata.name": "{ns}-b"}},
                "spec": {"finalizers": ["kubernetes"]},
            },
        ),
        post("/api/v1/namespaces/{ns}-b/configmaps", _named("x")),
        delete(
            "/api/v1/namespaces/{ns}-b",
            see={
                "kind": "Namespace",
                "status": {"phase": "Terminating"},
                "metadata": {"deletionTimestamp": "<time>"},
            },
        ),
        get("/api/v1/namespaces/{ns}-b", code=404, within=30),
        get("/api/v1/namespaces/{ns}-b/configmaps", see={"items": []}),
        delete(
            "/api/v1/namespaces/default",
            code=403,
            message='namespaces "default" is forbidden: this namespace may not be deleted',
        ),
        post("/api/v1/namespaces", _named("a.b"), code=422),
    ],
    "config maps": [
        _refused(
            NS + "/configmaps",
            _named("a", data={"a b": "1"}),
            ("data[a b]", '~Invalid value: "a b": a valid config key must consist of .*'),
        ),
        post(NS + "/configmaps", _named("a", immutable=True, data={"k": "1"})),
        patch(
            NS + "/configmaps/a",
            {"data": {"k": "2"}},
            code=422,
            see={"details": {"causes": [{"field": "data", "message": IMMUTABLE}]}},
        ),
        patch(
            NS + "/configmaps/a",
            {"immutable": False},
            code=422,
            see={"details": {"causes": [{"field": "immutable", "message": IMMUTABLE}]}},
        ),
        patch(NS + "/configmaps/a", {"metadata": {"labels": {"a": "b"}}}),
    ],
    "secrets": [
        post(
            NS + "/secrets",
            _named("a", stringData={"k": "b"}),
            see={"data": {"k": "Yg=="}, "type": "Opaque", "stringData": "<absent>"},
        ),
        patch(
            NS + "/secrets/a",
            {"type": "x/y"},
            code=422,
            see={
                "details": {
                    "causes": [
                        {"field": "type", "message": 'Invalid value: "x/y": field is immutable'}
                    ]
                }
            },
        ),
        post(
            NS + "/secrets", _named("b", data={"k": "%%"}), code=400, message="~.*(base64|byte).*"
        ),
        _refused(
            NS + "/secrets",
            _named("b", type="kubernetes.io/tls"),
            ("data[tls.crt]", "Required value"),
            ("data[tls.key]", "Required value"),
        ),
    ],
    "service accounts": [
        post(NS + "/serviceaccounts", _named("a"), see={"secrets": "<absent>"}),
        delete(NS + "/serviceaccounts/default"),
        get(NS + "/serviceaccounts/default", within=10, see={"metadata": {"uid": "<uid>"}}),
        post(
            NS + "/serviceaccounts/a/token",
            {"spec": {"expirationSeconds": 600}},
            see={
                "kind": "TokenRequest",
                "status": {"token": "~.+\\..+\\..+", "expirationTimestamp": "<time>"},
            },
        ),
    ],
    "services": [
        post(
            NS + "/services",
            _named("s", spec={"selector": {"a": "b"}, "ports": [{"port": 80}]}),
            see={
                "spec": {
                    "type": "ClusterIP",
                    "clusterIP": "~10\\..*",
                    "clusterIPs": ["~10\\..*"],
                    "sessionAffinity": "None",
                    "ipFamilies": ["IPv4"],
                    "ipFamilyPolicy": "SingleStack",
                    "internalTrafficPolicy": "Cluster",
                    "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
                },
                "status": {"loadBalancer": {}},
            },
            save={"ip": "spec.clusterIP"},
        ),
        put(
            NS + "/services/s",
            _named("s", spec={"ports": [{"port": 81}]}),
            see={"spec": {"clusterIP": "{ip}", "ports": [{"port": 81}]}},
        ),
        patch(
            NS + "/services/s",
            {"spec": {"clusterIP": "10.96.1.1", "clusterIPs": None}},
            code=422,
            message="~.*spec.clusterIPs\\[0\\]: Invalid value: .*may not change once set.*",
        ),
        post(
            NS + "/services",
            _named("h", spec={"clusterIP": "None", "selector": {"a": "b"}}),
            see={"spec": {"clusterIP": "None", "clusterIPs": ["None"]}},
        ),
        _refused(
            NS + "/services",
            _named("t", spec={"ports": [{"port": 0, "name": "a"}, {"port": 80}]}),
            ("spec.ports[0].port", "~Invalid value: 0: must be between 1 and 65535.*"),
            ("spec.ports[0].targetPort", "~Invalid value: 0: must be between 1 and 65535.*"),
            ("spec.ports[1].name", "Required value"),
        ),
    ],
    "nodes": [
        post(
            "/api/v1/nodes",
            _named("n-{ns}", status={"capacity": {"cpu": "1000m"}}),
            see={"status": {"capacity": {"cpu": "1"}, "allocatable": {"cpu": "1"}}},
        ),
        patch(
            "/api/v1/nodes/n-{ns}",
            {"spec": {"unschedulable": True}, "status": {"phase": "Running"}},
            see={"spec": {"unschedulable": True}, "status": {"phase": "<absent>"}},
        ),
        patch(
            "/api/v1/nodes/n-{ns}/status",
            {
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                "spec": {"unschedulable": None},
            },
            media="strategic",
            see={
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
        ),
        get(
            "/api/v1/nodes?fieldSelector=spec.unschedulable=true,metadata.name=n-{ns}",
            see={"items": [{"metadata": {"name": "n-{ns}"}}]},
        ),
        _refused(
            "/api/v1/nodes",
            _named("m", spec={"taints": [{"key": "a", "effect": "X"}]}),
            ("metadata.taints[0].effect", '~Unsupported value: "X": supported values: .*'),
        ),
        delete("/api/v1/nodes/n-{ns}"),
    ],
    "volumes and classes": [
        post(
            "/api/v1/persistentvolumes",
            _named(
                "pv-{ns}",
                spec={
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": "/x"},
                },
            ),
            see={
                "spec": {
                    "persistentVolumeReclaimPolicy": "Retain",
                    "volumeMode": "Filesystem",
                    "hostPath": {"path": "/x", "type": ""},
                }
            },
        ),
        patch(
            "/api/v1/persistentvolumes/pv-{ns}",
            {"spec": {"hostPath": {"path": "/y"}}},
            code=422,
            message="~.*spec.persistentvolumesource(:|.*) .*immutable after creation.*",
        ),
        delete("/api/v1/persistentvolumes/pv-{ns}"),
        post(
            SCS,
            _named("sc-{ns}", provisioner="x.y/z"),
            see={"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
        ),
        patch(
            SCS + "/sc-{ns}",
            {"provisioner": "q"},
            code=422,
            see={
                "details": {
                    "causes": [
                        {
                            "field": "provisioner",
                            "message": 'Invalid value: "q": field is immutable',
                        }
                    ]
                }
            },
        ),
        delete(SCS + "/sc-{ns}"),
    ],
    "priority classes": [
        post(
            PCS,
            _named("pc-{ns}", value=10),
            see={
                "value": 10,
                "preemptionPolicy": "PreemptLowerPriority",
                "metadata": {"generation": 1},
            },
        ),
        patch(
            PCS + "/pc-{ns}",
            {"value": 11},
            code=422,
            see={
                "details": {
                    "causes": [
                        {"field": "value", "message": "Forbidden: may not be changed in an update."}
                    ]
                }
            },
        ),
        post(
            NS + "/pods",
            {**_pod("p"), "spec": {**_pod("p")["spec"], "priorityClassName": "pc-{ns}"}},
            see={"spec": {"priority": 10}},
        ),
        delete(PCS + "/pc-{ns}"),
        _refused(
            PCS,
            _named("system-x", value=1),
            (
                "metadata.name",
                "~Forbidden: priority class names with 'system-' prefix are "
                "reserved for system use only.*",
            ),
        ),
        _refused(
            PCS,
            _named("x", value=1000000001),
            ("value", "~Forbidden: maximum allowed value of a user defined priority is .*"),
        ),
    ],
    "leases": [
        post(
            LEASES,
            _named(
                "l", spec={"leaseDurationSeconds": 5, "renewTime": "2026-01-01T00:00:00.123456Z"}
            ),
            see={"spec": {"renewTime": "2026-01-01T00:00:00.123456Z"}},
        ),
        put(
            LEASES + "/l",
            _named("l", spec={}),
            code=422,
            message='~leases?.*"l" is invalid: metadata.resourceVersion: Invalid value: .*must be '
            "specified for an update",
        ),
        put(LEASES + "/m", _named("m", spec={"leaseDurationSeconds": 6}), code=201),
        _refused(
            LEASES,
            _named("x", spec={"leaseDurationSeconds": 0}),
            ("spec.leaseDurationSeconds", "Invalid value: 0: must be greater than 0"),
        ),
    ],
    "roles": [
        _refused(
            RBAC + "/namespaces/{ns}/roles",
            _named("r:x", rules=[{"verbs": [], "resources": ["a"]}]),
            ("rules[0].verbs", "Required value: verbs must contain at least one value"),
            (
                "rules[0].apiGroups",
                "Required value: resource rules must supply at least one api group",
            ),
        ),
        post(
            RBAC + "/namespaces/{ns}/rolebindings",
            _named(
                "b", subjects=[{"kind": "User", "name": "u"}], roleRef={"kind": "Role", "name": "x"}
            ),
            see={
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io"}],
            },
        ),
        patch(
            RBAC + "/namespaces/{ns}/rolebindings/b",
            {"roleRef": {"name": "y"}},
            code=422,
            message="~.*roleRef: Invalid value: .*: cannot change roleRef",
        ),
    ],
}
