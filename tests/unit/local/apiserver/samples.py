"""A right object of every kind that people write, to be bent in tests."""

from __future__ import annotations

from typing import Any

RBAC = "rbac.authorization.k8s.io"
_OURS = {"apiVersion": "athanor.dev/v1alpha1"}
_META = {"name": "sample", "labels": {"app": "x"}, "annotations": {"a": "b"}}
_POD: dict[str, Any] = {
    "restartPolicy": "Never",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
    "securityContext": {"runAsUser": 1000},
    "containers": [
        {
            "name": "main",
            "image": "python:3.12",
            "command": ["python", "-c", "1"],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}},
            "volumeMounts": [{"name": "v", "mountPath": "/data"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5},
        }
    ],
    "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "b"}]}}],
}

SAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("/api/v1/namespaces", {"metadata": {"name": "fresh"}}),
    ("/api/v1/nodes", {
        "metadata": _META, "spec": {"unschedulable": True, "taints": [
            {"key": "a", "value": "b", "effect": "NoSchedule"}]},
    }),
    ("/api/v1/namespaces/default/pods", {"metadata": _META, "spec": _POD}),
    ("/api/v1/namespaces/default/services", {
        "metadata": _META,
        "spec": {"selector": {"a": "b"}, "type": "ClusterIP",
                 "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP", "name": "http"}]},
    }),
    ("/api/v1/namespaces/default/configmaps", {
        "metadata": _META, "data": {"k": "v"}, "binaryData": {"b": "aGk="}, "immutable": False}),
    ("/api/v1/namespaces/default/secrets", {
        "metadata": _META, "type": "Opaque", "data": {"k": "aGk="}, "stringData": {"s": "t"}}),
    ("/api/v1/namespaces/default/serviceaccounts", {
        "metadata": _META, "automountServiceAccountToken": True, "secrets": [{"name": "s"}]}),
    ("/api/v1/namespaces/default/events", {
        "metadata": _META, "type": "Normal", "reason": "R", "message": "m", "count": 1,
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "source": {"component": "c"}}),
    ("/api/v1/namespaces/default/persistentvolumeclaims", {
        "metadata": _META,
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "x",
                 "resources": {"requests": {"storage": "1Gi"}}}}),
    ("/api/v1/persistentvolumes", {
        "metadata": _META,
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                 "hostPath": {"path": "/x"}, "persistentVolumeReclaimPolicy": "Retain"}}),
    ("/api/v1/namespaces/default/resourcequotas", {
        "metadata": _META, "spec": {"hard": {"pods": "5", "requests.cpu": "4"}}}),
    ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {
        "metadata": _META,
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5,
                 "renewTime": "2026-01-01T00:00:00.000000Z"}}),
    ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        "metadata": _META, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}),
    ("/apis/scheduling.k8s.io/v1/priorityclasses", {
        "metadata": _META, "value": 5, "globalDefault": False, "description": "d"}),
    ("/apis/storage.k8s.io/v1/storageclasses", {
        "metadata": _META, "provisioner": "x.dev/y", "parameters": {"a": "b"}}),
    (f"/apis/{RBAC}/v1/namespaces/default/roles", {
        "metadata": _META,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    (f"/apis/{RBAC}/v1/namespaces/default/rolebindings", {
        "metadata": _META, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": "jane"}]}),
    (f"/apis/{RBAC}/v1/clusterroles", {
        "metadata": _META,
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}, "rules": []}),
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
        "metadata": {"name": "foos.x.example.com"},
        "spec": {
            "group": "x.example.com", "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo", "shortNames": ["fo"]},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object", "required": ["a"],
                    "properties": {
                        "a": {"type": "string", "maxLength": 5, "pattern": "^a", "default": "a"},
                        "l": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "set",
                              "items": {"type": "string"}}},
                    "x-kubernetes-validations": [{"rule": "has(self.a)", "message": "m"}]}}}},
                "additionalPrinterColumns": [
                    {"name": "A", "type": "string", "jsonPath": ".spec.a"}],
                "selectableFields": [{"jsonPath": ".spec.a"}],
            }]}}),
    ("/apis/athanor.dev/v1alpha1/namespaces/default/gangs", {
        **_OURS, "kind": "Gang", "metadata": _META,
        "spec": {"podSets": [{"name": "w", "count": 2, "minCount": 1, "template": {"spec": _POD},
                              "topology": {"preferred": "rack"}, "gpu": {"milli": 500}}],
                 "queue": "q", "checkpoint": {"enabled": True}, "pools": ["a"]}}),
    ("/apis/athanor.dev/v1alpha1/queues", {
        **_OURS, "kind": "Queue", "metadata": _META,
        "spec": {"pools": [{"pool": "a", "guaranteed": {"cpu": 1}, "limit": {"cpu": "4"}}],
                 "fairShare": {"weight": 2}, "budget": {"gpuHours": "5"}}}),
    ("/apis/athanor.dev/v1alpha1/pools", {
        **_OURS, "kind": "Pool", "metadata": _META,
        "spec": {"nodeSelector": {"a": "b"}, "topologyLevels": ["rack"]}}),
    ("/apis/athanor.dev/v1alpha1/reservations", {
        **_OURS, "kind": "Reservation", "metadata": _META,
        "spec": {"pool": "a", "amounts": {"cpu": 1}, "start": "2026-01-01T00:00:00Z"}}),
    ("/apis/athanor.dev/v1alpha1/namespaces/default/trainingjobs", {
        **_OURS, "kind": "TrainingJob", "metadata": _META,
        "spec": {"framework": "jax", "roles": [{"name": "w", "replicas": 2,
                                                 "template": {"spec": _POD}}],
                 "runPolicy": {"backoffLimit": 2}, "elastic": {"min": 1, "max": 2, "role": "w"}}}),
    ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
    ("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x", "audiences": ["a"]}}),
    ("/api/v1/namespaces/default/serviceaccounts/default/token", {
        "spec": {"expirationSeconds": 3600, "audiences": ["a"]}}),
]  # fmt: skip
"""(path of the collection, object); kind and apiVersion are left to the server to fill in."""
