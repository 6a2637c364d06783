"""Pods: defaults, checks, what may change, graceful deletion, subresources, admission."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post, put

PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
NODE = {"nodeName": "node-of-{ns}"}


def _pod(**spec):
    return {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec},
    }


def _with(**container):
    return _pod(containers=[{"name": "c", "image": "x:1", **container}])


def _refused(body, *causes):
    return post(PODS + "?dryRun=All", body, code=422, see={"reason": "Invalid", "details": {
        "kind": "Pod", "causes": [{"field": f, "message": m} for f, m in causes]}})  # fmt: skip


MADE = post(PODS, _pod(), save={"uid": "metadata.uid", "rv": "metadata.resourceVersion"})

SCENARIOS = {
    "defaults": [
        post(
            PODS,
            _with(
                ports=[{"containerPort": 80}],
                livenessProbe={"httpGet": {"port": 80}},
                env=[{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                resources={"limits": {"cpu": "0.5", "memory": "1024Mi"}},
            ),
            see={
                "metadata": {"generation": 1},
                "spec": {
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst",
                    "schedulerName": "default-scheduler",
                    "securityContext": {},
                    "enableServiceLinks": True,
                    "priority": 0,
                    "preemptionPolicy": "PreemptLowerPriority",
                    "serviceAccountName": "default",
                    "serviceAccount": "default",
                    "tolerations": [
                        {
                            "key": "node.kubernetes.io/not-ready",
                            "operator": "Exists",
                            "effect": "NoExecute",
                            "tolerationSeconds": 300,
                        },
                        {"key": "node.kubernetes.io/unreachable", "tolerationSeconds": 300},
                    ],
                    "volumes": [
                        {
                            "name": "~kube-api-access-.{5}",
                            "projected": {
                                "defaultMode": 420,
                                "sources": [
                                    {
                                        "serviceAccountToken": {
                                            "expirationSeconds": 3607,
                                            "path": "token",
                                        }
                                    },
                                    {"configMap": {"name": "kube-root-ca.crt"}},
                                    {"downwardAPI": "<any>"},
                                ],
                            },
                        }
                    ],
                    "containers": [
                        {
                            "imagePullPolicy": "IfNotPresent",
                            "terminationMessagePolicy": "File",
                            "terminationMessagePath": "/dev/termination-log",
                            "resources": {
                                "limits": {"cpu": "500m", "memory": "1Gi"},
                                "requests": {"cpu": "500m", "memory": "1Gi"},
                            },
                            "ports": [{"containerPort": 80, "protocol": "TCP"}],
                            "env": [
                                {
                                    "name": "N",
                                    "valueFrom": {
                                        "fieldRef": {
                                            "apiVersion": "v1",
                                            "fieldPath": "metadata.name",
                                        }
                                    },
                                }
                            ],
                            "livenessProbe": {
                                "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                                "timeoutSeconds": 1,
                                "periodSeconds": 10,
                                "successThreshold": 1,
                                "failureThreshold": 3,
                            },
                            "volumeMounts": [
                                {
                                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                                    "readOnly": True,
                                }
                            ],
                        }
                    ],
                },
                "status": {"phase": "Pending", "qosClass": "Guaranteed"},
            },
        ),
    ],
    "volumes have defaults": [
        post(
            PODS,
            _pod(
                automountServiceAccountToken=False,
                volumes=[
                    {"name": "e"},
                    {"name": "c", "configMap": {"name": "x"}},
                    {"name": "h", "hostPath": {"path": "/x"}},
                ],
            ),
            see={
                "spec": {
                    "volumes": [
                        {"name": "e", "emptyDir": {}},
                        {"configMap": {"defaultMode": 420}},
                        {"hostPath": {"path": "/x", "type": ""}},
                    ]
                },
                "status": {"qosClass": "BestEffort"},
            },
        ),
    ],
    "images and pull policies": [
        post(
            PODS,
            _pod(
                containers=[
                    {"name": "a", "image": "x"},
                    {"name": "b", "image": "r:5000/x"},
                    {"name": "c", "image": "x:latest"},
                    {"name": "d", "image": "x:1"},
                    {"name": "e", "image": "x@sha256:" + "0" * 64},
                ]
            ),
            see={
                "spec": {
                    "containers": [
                        {"imagePullPolicy": p}
                        for p in ("Always", "Always", "Always", "IfNotPresent", "IfNotPresent")
                    ]
                }
            },
        ),
    ],
    "containers are checked": [
        _refused(_pod(containers=[]), ("spec.containers", "Required value")),
        _refused(
            _pod(containers=[{"name": "C", "image": ""}]),
            ("spec.containers[0].name", '~Invalid value: "C": a lowercase RFC 1123 label .*'),
            ("spec.containers[0].image", "Required value"),
        ),
        _refused(
            _pod(containers=[{"name": "c", "image": "x"}, {"name": "c", "image": "x"}]),
            ("spec.containers[1].name", 'Duplicate value: "c"'),
        ),
    ],
    "words are checked": [
        _refused(
            _pod(restartPolicy="X"),
            (
                "spec.restartPolicy",
                'Unsupported value: "X": supported values: "Always", "OnFailure", "Never"',
            ),
        ),
        _refused(
            _with(imagePullPolicy="Q"),
            (
                "spec.containers[0].imagePullPolicy",
                'Unsupported value: "Q": supported values: "Always", "IfNotPresent", "Never"',
            ),
        ),
    ],
    "resources are checked": [
        _refused(
            _with(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            (
                "spec.containers[0].resources.requests",
                'Invalid value: "2": must be less than or equal to cpu limit of 1',
            ),
        ),
        _refused(
            _with(resources={"requests": {"example.com/gpu": "1"}}),
            (
                "spec.containers[0].resources.limits",
                "Required value: Limit must be set for non overcommitable resources",
            ),
        ),
        _refused(
            _with(resources={"requests": {"memory": "-1"}}),
            (
                "spec.containers[0].resources.requests[memory]",
                'Invalid value: "-1": must be greater than or equal to 0',
            ),
        ),
        post(
            PODS,
            _with(resources={"requests": {"memory": "abc"}}),
            code=(400, 422),
            message="~.*quantities must match the regular expression.*",
        ),
    ],
    "mounts and ports are checked": [
        _refused(
            _pod(
                automountServiceAccountToken=False,
                volumes=[{"name": "v"}, {"name": "v"}],
                containers=[
                    {"name": "c", "image": "x", "volumeMounts": [{"name": "q", "mountPath": "/a"}]}
                ],
            ),
            ("spec.volumes[1].name", 'Duplicate value: "v"'),
            ("spec.containers[0].volumeMounts[0].name", 'Not found: "q"'),
        ),
        _refused(
            _with(ports=[{"containerPort": 70000}]),
            (
                "spec.containers[0].ports[0].containerPort",
                "Invalid value: 70000: must be between 1 and 65535, inclusive",
            ),
        ),
        _refused(
            _with(env=[{"name": "a=b"}]),
            ("spec.containers[0].env[0].name", '~Invalid value: "a=b": .*'),
        ),
        _refused(
            _with(livenessProbe={}),
            ("spec.containers[0].livenessProbe", "Required value: must specify a handler type"),
        ),
    ],
    "tolerations and deadlines are checked": [
        _refused(
            _pod(activeDeadlineSeconds=0),
            (
                "spec.activeDeadlineSeconds",
                "Invalid value: 0: must be between 1 and 2147483647, inclusive",
            ),
        ),
        _refused(
            _pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
            (
                "spec.tolerations[0].operator",
                "Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
            ),
        ),
    ],
    "types are checked": [
        post(
            PODS,
            _pod(containers="x"),
            code=400,
            message='~Pod in version "v1" cannot be handled as a Pod: .*containers.*',
        ),
        post(
            PODS,
            _pod(terminationGracePeriodSeconds="a"),
            code=400,
            message='~Pod in version "v1" cannot be handled as a Pod: .*terminationGrace.*',
        ),
    ],
    "accounts and priorities are admitted": [
        post(
            PODS,
            _pod(serviceAccountName="nope"),
            code=403,
            message='pods "a" is forbidden: error looking up service account {ns}/nope: '
            'serviceaccount "nope" not found',
        ),
        post(
            PODS,
            _pod(priorityClassName="nope"),
            code=403,
            message='pods "a" is forbidden: no PriorityClass with name nope was found',
        ),
        post(
            PODS,
            _pod(priority=5),
            code=403,
            message='pods "a" is forbidden: the integer value of priority (5) must not be provided '
            "in pod spec; priority admission controller computed 0 from the given "
            "PriorityClass name",
        ),
        post(
            PODS,
            _pod(priorityClassName="system-node-critical"),
            see={"spec": {"priority": 2000001000}},
        ),
    ],
    "little of a pod may change": [
        MADE,
        patch(
            POD,
            {"spec": {"nodeName": "q"}},
            code=422,
            message="~.*spec: Forbidden: pod updates may not change fields other than "
            "`spec.containers\\[\\*\\].image`.*",
        ),
        patch(
            POD,
            {"spec": {"containers": []}},
            code=422,
            message="~.*pod updates may not add or remove containers.*",
        ),
        patch(
            POD,
            {"spec": {"activeDeadlineSeconds": 5}},
            see={"spec": {"activeDeadlineSeconds": 5}, "metadata": {"generation": 2}},
        ),
        patch(
            POD,
            {"spec": {"activeDeadlineSeconds": 9}},
            code=422,
            message="~.*must be less than or equal to previous value.*",
        ),
        patch(
            POD,
            {"spec": {"containers": [{"name": "c", "image": "x:2"}]}},
            media="strategic",
            see={"spec": {"containers": [{"image": "x:2"}]}, "metadata": {"generation": 3}},
        ),
        patch(
            POD, {"spec": {"tolerations": []}}, see={"spec": {"tolerations": ["<any>", "<any>"]}}
        ),
    ],
    "status is apart": [
        MADE,
        patch(POD, {"status": {"phase": "Running"}}, see={"status": {"phase": "Pending"}}),
        patch(
            POD + "/status",
            {"status": {"phase": "Running"}, "spec": {"nodeName": "q"}},
            see={
                "status": {"phase": "Running"},
                "spec": {"nodeName": "<absent>"},
                "metadata": {"generation": 1},
            },
        ),
        patch(
            POD + "/status",
            {"metadata": {"labels": {"l": "x"}}},
            see={"metadata": {"labels": {"l": "x"}}},
        ),
        get(POD + "/status", see={"kind": "Pod", "status": {"phase": "Running"}}),
        patch(
            POD,
            {"metadata": {"labels": {"l": "y"}}},
            see={"status": {"phase": "Running"}, "metadata": {"labels": {"l": "y"}}},
        ),
    ],
    "a pod without a node goes at once": [
        MADE,
        delete(
            POD,
            see={
                "kind": "Pod",
                "metadata": {
                    "deletionTimestamp": "<time>",
                    "deletionGracePeriodSeconds": 0,
                    "generation": 2,
                },
            },
        ),
        get(POD, code=404),
    ],
    "a pod on a node is given its grace": [
        post(PODS, _pod(**NODE, terminationGracePeriodSeconds=300)),
        delete(
            POD,
            see={
                "kind": "Pod",
                "metadata": {"deletionTimestamp": "<time>", "deletionGracePeriodSeconds": 300},
            },
        ),
        get(POD, see={"metadata": {"deletionGracePeriodSeconds": 300}}),
        delete(
            POD, {"gracePeriodSeconds": 60}, see={"metadata": {"deletionGracePeriodSeconds": 60}}
        ),
        delete(
            POD, {"gracePeriodSeconds": 900}, see={"metadata": {"deletionGracePeriodSeconds": 60}}
        ),
        delete(POD, {"gracePeriodSeconds": 0}, see={"kind": "Pod"}),
        get(POD, code=404),
    ],
    "a pod's deletion with another uid": [
        post(PODS, _pod(**NODE)),
        delete(POD, {"gracePeriodSeconds": 0, "preconditions": {"uid": "x"}}, code=409),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "binding": [
        MADE,
        post(
            POD + "/binding",
            {"target": {"name": "n"}},
            code=400,
            message="name in URL does not match name in Binding object",
        ),
        post(
            POD + "/binding",
            {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n-{ns}"}},
            see={"kind": "Status", "status": "Success", "code": 201},
        ),
        get(
            POD,
            see={
                "spec": {"nodeName": "n-{ns}"},
                "metadata": {"generation": 1},
                "status": {"conditions": [{"type": "PodScheduled", "status": "True"}]},
            },
        ),
        post(
            POD + "/binding",
            {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "m"}},
            code=409,
            message='Operation cannot be fulfilled on pods/binding "a": pod a is already '
            'assigned to node "n-{ns}"',
        ),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "binding another pod of that name": [
        MADE,
        post(
            POD + "/binding",
            {"metadata": {"name": "a", "uid": "x"}, "target": {"name": "n-{ns}"}},
            code=409,
            message='Operation cannot be fulfilled on pods "a": StorageError: invalid object, '
            "Code: 4, Key: /registry/pods/{ns}/a, ResourceVersion: 0, AdditionalErrorMsg: "
            "Precondition failed: UID in precondition: x, UID in object meta: {uid}",
        ),
        post(
            POD + "/binding",
            {"metadata": {"name": "a", "uid": "{uid}"}, "target": {"name": "n-{ns}"}},
            code=201,
        ),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],  # fmt: skip
    "eviction": [  # of a pod that no node takes meanwhile: then it is gone at once
        post(PODS, _pod(nodeSelector={"a-label": "of-no-node"})),
        post(
            POD + "/eviction",
            {},
            code=400,
            message="name in URL does not match name in Eviction object",
        ),
        post(
            POD + "/eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}},
            see={"kind": "Status", "status": "Success", "code": 201},
        ),
        get(POD, code=404),
        get(POD + "/eviction", code=405),
    ],
    "logs and exec without a node": [
        MADE,
        get(POD + "/log?container=zz", code=400, message="container zz is not valid for pod a"),
        get(PODS + "/none/log", code=404, message='pods "none" not found'),
        post(POD + "/exec", None, code=400),
    ],
    "selecting by fields": [
        post(PODS, _pod(**NODE)),
        get(
            PODS + "?fieldSelector=spec.nodeName=node-of-{ns},status.phase=Pending",
            see={"items": [{"metadata": {"name": "a"}}]},
        ),
        get(PODS + "?fieldSelector=spec.nodeName!=node-of-{ns}", see={"items": []}),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "replace needs the whole spec": [
        MADE,
        put(
            POD,
            {"metadata": {"name": "a"}},
            code=422,
            see={
                "details": {
                    "causes": [
                        {"field": "spec.containers", "message": "Required value"},
                        {"field": "spec.containers", "reason": "FieldValueForbidden"},
                    ]
                }
            },
        ),
    ],
}
