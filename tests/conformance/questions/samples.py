"""One object of every built-in kind that is served, and what may be changed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

CORE = "/api/v1"
NS = "/namespaces/{ns}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
_CONTAINER = {"name": "c", "image": "x:1"}
_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}


class Sample(Struct, frozen=True, kw_only=True):
    """A kind by example: where it lives, a whole object without name, and changes of it.

    `merge` may be applied to the object, `refused` may not: it is immutable or wrong. `status` is
    a merge patch for the status subresource.
    """

    kind: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    merge: Mapping[str, Any] = field(default_factory=dict)
    refused: Sequence[Mapping[str, Any]] = ()
    status: Mapping[str, Any] | None = None
    version: str = "v1"
    name: str = "a"
    omit: Sequence[str] = ()
    """What controllers write when they like."""
    prefixed: bool = False
    """Whether names are the cluster's own, and so carry the namespace's."""


SAMPLES: Sequence[Sample] = (
    Sample(
        kind="ConfigMap", path=f"{CORE}{NS}/configmaps",
        body={"data": {"a": "1", "b": "2"}, "binaryData": {"c": "AAE="}},
        merge={"data": {"a": "3", "b": None}, "immutable": True},
        refused=({"data": {"a/b": "x"}}, {"binaryData": {"a": "AAE="}}, {"data": {"x": 1}}),
    ),
    Sample(
        kind="Secret", path=f"{CORE}{NS}/secrets",
        body={"type": "Opaque", "data": {"a": "MQ==", "b": "dHdv"}},
        merge={"data": {"a": None}, "stringData": {"c": "3"}},
        refused=({"type": "other"}, {"data": {"a": "no base64!"}}, {"data": {"a b": "MQ=="}}),
    ),
    Sample(
        kind="ServiceAccount", path=f"{CORE}{NS}/serviceaccounts",
        body={"secrets": [{"name": "s"}], "imagePullSecrets": [{"name": "p"}]},
        merge={"automountServiceAccountToken": False},
        refused=({"secrets": "x"},),
    ),
    Sample(
        kind="Pod", path=f"{CORE}{NS}/pods",
        body={"spec": {"containers": [_CONTAINER], "restartPolicy": "Never"}},
        merge={"spec": {"activeDeadlineSeconds": 60}},
        refused=(
            {"spec": {"restartPolicy": "Always"}},
            {"spec": {"containers": [{"name": "d", "image": "y"}]}},
            {"spec": {"terminationGracePeriodSeconds": 5}},
        ),
        status={"status": {"phase": "Running", "podIP": "192.0.2.1", "conditions": [
            {"type": "Ready", "status": "True"}]}},
    ),
    Sample(
        kind="Service", path=f"{CORE}{NS}/services",
        body={"spec": {"selector": {"a": "b"}, "ports": [
            {"name": "x", "port": 80, "targetPort": "web"}, {"name": "y", "port": 81}]}},
        merge={"spec": {"sessionAffinity": "ClientIP", "selector": {"c": "d"}}},
        refused=(
            {"spec": {"clusterIP": "1.2.3.4"}},
            {"spec": {"ports": []}},
            {"spec": {"sessionAffinity": "Other"}},
            {"spec": {"type": "Strange"}},
        ),
        status={"status": {"conditions": [{
            "type": "Fine", "status": "True", "reason": "R", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}},
    ),
    Sample(
        kind="Endpoints", path=f"{CORE}{NS}/endpoints",
        body={"subsets": [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 80}]}]},
        merge={"subsets": [{"addresses": [{"ip": "192.0.2.8", "hostname": "h"}],
                            "notReadyAddresses": [{"ip": "192.0.2.9"}],
                            "ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}]},
        refused=(
            {"subsets": [{"addresses": [{"ip": "127.0.0.1"}]}]},
            {"subsets": [{"ports": [{"port": 1}]}]},
            {"subsets": [{"addresses": [{"ip": "x"}], "ports": [{"port": 70000}]}]},
        ),
    ),
    Sample(
        kind="Event", path=f"{CORE}{NS}/events",
        body={"involvedObject": {"kind": "Pod", "namespace": "{ns}", "name": "p"}, "reason": "R",
              "message": "m", "type": "Normal", "source": {"component": "me"}, "count": 1},
        merge={"count": 2, "lastTimestamp": "2026-01-01T00:00:00Z"},
        refused=({"involvedObject": {"namespace": "other"}}, {"count": "x"}),
    ),
    Sample(
        kind="PersistentVolumeClaim", omit=("status", "resourceVersion", "cells"),
        path=f"{CORE}{NS}/persistentvolumeclaims",
        body={"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "claims-{ns}",
                       "resources": {"requests": {"storage": "1Gi"}}}},
        merge={"metadata": {"labels": {"x": "y"}}},
        refused=(
            {"spec": {"accessModes": ["ReadWriteMany"]}},
            {"spec": {"accessModes": ["Often"]}},
            {"spec": {"storageClassName": "other"}},
            ),
        status={"status": {"phase": "Lost", "capacity": {"storage": "1024Mi"}}},
    ),
    Sample(
        kind="PersistentVolume", omit=("status", "resourceVersion", "cells"),
        path=f"{CORE}/persistentvolumes", prefixed=True,
        body={"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                       "storageClassName": "volumes-{ns}", "hostPath": {"path": "/tmp/x"}}},
        merge={"spec": {"persistentVolumeReclaimPolicy": "Delete", "mountOptions": ["ro"]}},
        refused=(
            {"spec": {"hostPath": {"path": "/other"}}},
            {"spec": {"nfs": {"server": "s", "path": "/"}}},
            {"spec": {"capacity": {"storage": "0"}}},
            {"spec": {"volumeMode": "Block"}},
            {"spec": {"persistentVolumeReclaimPolicy": "Throw"}},
        ),
        status={"status": {"phase": "Available", "message": "m"}},
    ),
    Sample(
        kind="ResourceQuota", omit=("status", "resourceVersion", "cells"),
        path=f"{CORE}{NS}/resourcequotas",
        body={"spec": {"hard": {"pods": "4", "requests.cpu": "1500m", "count/x.example.com": "2"}}},
        merge={"spec": {"hard": {"pods": "5"}}},
        refused=(
            {"spec": {"hard": {"pods": "1.5"}}},
            {"spec": {"hard": {"nonsense": "1"}}},
            {"spec": {"scopes": ["BestEffort"]}},
        ),
    ),
    Sample(
        kind="LimitRange", path=f"{CORE}{NS}/limitranges",
        body={"spec": {"limits": [{"type": "Pod", "max": {"cpu": "4"}}]}},
        merge={"spec": {"limits": [{"type": "Pod", "max": {"cpu": "5"}}]}},
        refused=(
            {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "2"}}]}},
            {"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}},
        ),
    ),
    Sample(
        kind="Namespace", omit=("resourceVersion", "cells"),
        path=f"{CORE}/namespaces", prefixed=True,
        merge={"metadata": {"labels": {"x": "y"}}},
        refused=({"metadata": {"labels": {"x": "y z"}}}, {"spec": {"finalizers": "x"}}),
        status={"status": {"conditions": [{"type": "Fine", "status": "True"}]}},
    ),
    Sample(
        kind="Node", omit=("taints", "resourceVersion", "cells", "annotations"),
        path=f"{CORE}/nodes", prefixed=True,
        body={"spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]},
              "status": {"capacity": {"cpu": "4", "memory": "1024Mi"}}},
        merge={"spec": {"unschedulable": None, "providerID": "x://y", "podCIDR": "192.0.2.0/24",
                        "podCIDRs": ["192.0.2.0/24"]}},
        refused=(
            {"spec": {"taints": [{"key": "k", "effect": "Never"}]}},
            {"spec": {"taints": [{"key": "k b", "effect": "NoExecute"}]}},
            {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}] * 2}},
        ),
        status={"status": {"allocatable": {"cpu": "3500m"}, "conditions": [
            {"type": "Ready", "status": "True", "reason": "R"}],
            "addresses": [{"type": "Hostname", "address": "h"}]}},
    ),
    Sample(
        kind="Lease", path=f"/apis/coordination.k8s.io/v1{NS}/leases",
        version="coordination.k8s.io/v1",
        body={"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15,
                       "renewTime": "2026-01-01T00:00:00.000000Z"}},
        merge={"spec": {"leaseTransitions": 1, "acquireTime": "2026-01-01T00:00:00.5Z"}},
        refused=({"spec": {"leaseDurationSeconds": 0}}, {"spec": {"leaseTransitions": -1}},
                 {"spec": {"renewTime": "2026-01-01"}}, {"spec": {"holderIdentity": ""}}),
    ),
    Sample(
        kind="Event", path=f"/apis/events.k8s.io/v1{NS}/events", version="events.k8s.io/v1",
        body={"regarding": {"kind": "Pod", "namespace": "{ns}", "name": "p"}, "reason": "R",
              "note": "n", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
              "reportingController": "a.b/c", "reportingInstance": "i", "action": "A"},
        merge={"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}},
        refused=({"type": "Odd"}, {"reason": "other"}, {"series": {"count": 1}},
                 {"note": "x" * 1025}),
    ),
    Sample(
        kind="EndpointSlice", path=f"/apis/discovery.k8s.io/v1{NS}/endpointslices",
        version="discovery.k8s.io/v1",
        body={"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.3"]}],
              "ports": [{"port": 80}]},
        merge={"endpoints": [{"addresses": ["192.0.2.4"], "conditions": {"ready": False}}]},
        refused=({"addressType": "IPv6"}, {"endpoints": [{"addresses": []}]},
                 {"ports": [{"name": "A B", "port": 0}]}, {"endpoints": [{"addresses": ["x"]}]}),
    ),
    Sample(
        kind="PriorityClass", path="/apis/scheduling.k8s.io/v1/priorityclasses", prefixed=True,
        version="scheduling.k8s.io/v1",
        body={"value": 7, "description": "d"},
        merge={"description": "e"},
        refused=({"value": 8}, {"preemptionPolicy": "Never"}, {"preemptionPolicy": "Often"}),
    ),
    Sample(
        kind="StorageClass", path="/apis/storage.k8s.io/v1/storageclasses", prefixed=True,
        version="storage.k8s.io/v1",
        body={"provisioner": "example.com/p", "parameters": {"a": "b"}},
        merge={"allowVolumeExpansion": True},
        refused=({"provisioner": "example.com/q"}, {"parameters": {"a": "c"}},
                 {"reclaimPolicy": "Retain"}, {"volumeBindingMode": "WaitForFirstConsumer"}),
    ),
    Sample(
        kind="Role", path=f"{RBAC}{NS}/roles", version="rbac.authorization.k8s.io/v1",
        body={"rules": [_RULE]},
        merge={"rules": [_RULE, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
        refused=({"rules": [{"verbs": ["get"]}]}, {"rules": [{"resources": ["pods"]}]},
                 {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]}),
    ),
    Sample(
        kind="RoleBinding", path=f"{RBAC}{NS}/rolebindings",
        version="rbac.authorization.k8s.io/v1",
        body={"roleRef": _ROLE, "subjects": [
            {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"},
            {"kind": "Group", "name": "g"}, {"kind": "ServiceAccount", "name": "s"}]},
        merge={"subjects": [{"kind": "User", "name": "v"}]},
        refused=({"roleRef": {"name": "other"}}, {"subjects": [{"kind": "Robot", "name": "x"}]},
                 {"subjects": [{"kind": "User"}]}),
    ),
    Sample(
        kind="ClusterRole", path=f"{RBAC}/clusterroles", prefixed=True,
        version="rbac.authorization.k8s.io/v1",
        body={"rules": [_RULE, {"nonResourceURLs": ["/x/*"], "verbs": ["get"]}]},
        merge={"rules": [_RULE]},
        refused=({"rules": [{"nonResourceURLs": ["/x"], "resources": ["p"], "apiGroups": [""],
                             "verbs": ["get"]}]},
                 {"aggregationRule": {"clusterRoleSelectors": []}}),
    ),
    Sample(
        kind="ClusterRoleBinding", path=f"{RBAC}/clusterrolebindings", prefixed=True,
        version="rbac.authorization.k8s.io/v1",
        body={"roleRef": {**_ROLE, "kind": "ClusterRole", "name": "{ns}"}},
        merge={"subjects": [{"kind": "Group", "name": "g"}]},
        refused=({"roleRef": {"kind": "Role"}}, {"subjects": [
            {"kind": "ServiceAccount", "name": "s"}]}),
    ),
    Sample(
        kind="CustomResourceDefinition", omit=("status", "resourceVersion", "cells"),
        name="as.{ns}.example.com",
        path="/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        version="apiextensions.k8s.io/v1",
        body={"spec": {
            "group": "{ns}.example.com", "scope": "Namespaced",
            "names": {"plural": "as", "kind": "A"},
            "versions": [{"name": "v1", "served": False, "storage": True,
                          "schema": {"openAPIV3Schema": {"type": "object"}}}]}},
        merge={"spec": {"names": {"shortNames": ["{ns}"], "categories": ["all"]}}},
        refused=({"spec": {"versions": []}},),
    ),
    Sample(
        kind="APIService", omit=("status", "resourceVersion", "cells"),
        name="v1.{ns}.example.org",
        path="/apis/apiregistration.k8s.io/v1/apiservices", version="apiregistration.k8s.io/v1",
        body={"spec": {"group": "{ns}.example.org", "version": "v1", "groupPriorityMinimum": 100,
                       "versionPriority": 10, "insecureSkipTLSVerify": True,
                       "service": {"name": "s", "namespace": "{ns}"}}},
        merge={"spec": {"versionPriority": 11}},
        refused=({"spec": {"groupPriorityMinimum": 0}}, {"spec": {"versionPriority": 0}},
                 {"spec": {"version": "v2"}}, {"spec": {"caBundle": "eA=="}}),
    ),
)  # fmt: skip
"""In the order of issue and docs: core first."""
