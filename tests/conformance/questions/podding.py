"""Pods: what is defaulted, what is refused in which words, what may change later."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post, put

PODS = "/api/v1/namespaces/{ns}/pods"
POD = PODS + "/a"
C = {"name": "c", "image": "x:1"}


def _pod(container=None, /, meta=None, **spec):
    spec = {"containers": [{**C, **(container or {})}], **spec}
    return {"metadata": {"name": "a", **(meta or {})}, "spec": spec}


def _ask(container=None, /, code=(201, 422), **spec):
    """A dry creation: accepted or refused, the answer tells."""
    return post(PODS + "?dryRun=All", _pod(container, **spec), code=code)


def _probe(**probe):
    return _ask({"readinessProbe": probe})


def _volume(source, **mount):
    mounts = [{"name": "v", "mountPath": "/v", **mount}]
    return _ask({"volumeMounts": mounts}, volumes=[{"name": "v", **source}])


SCENARIOS = {
    "all of a pod's defaults": [
        post(PODS, _pod({
            "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 0, "name": "w"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "readinessProbe": {"exec": {"command": ["x"]}},
            "startupProbe": {"tcpSocket": {"port": 1}},
            "lifecycle": {"preStop": {"httpGet": {"port": "w"}}},
            "resources": {"limits": {"cpu": "1.5", "memory": "0.5Gi"}},
            "securityContext": {},
            "volumeMounts": [{"name": "s", "mountPath": "/s"}]},
            volumes=[{"name": "s", "secret": {"secretName": "x"}},
                     {"name": "p", "projected": {"sources": [
                         {"serviceAccountToken": {"path": "t"}},
                         {"downwardAPI": {"items": [{"path": "l", "fieldRef": {
                             "fieldPath": "metadata.labels"}}]}}]}},
                     {"name": "h", "hostPath": {"path": "/h"}},
                     {"name": "e", "emptyDir": {"sizeLimit": "1024Ki"}},
                     {"name": "c", "configMap": {
                         "name": "x", "items": [{"key": "a", "path": "b"}]}}],
            initContainers=[{"name": "i", "image": "z"},
                            {"name": "j", "image": "z:2", "restartPolicy": "Always"}])),
        get(POD),
    ],
    "the token's volume": [
        post(PODS, _pod()),
        post(PODS, {**_pod(automountServiceAccountToken=False), "metadata": {"name": "b"}}),
        post(PODS, {**_pod({"volumeMounts": [{
            "name": "m", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]},
            volumes=[{"name": "m", "emptyDir": {}}]), "metadata": {"name": "d"}}),
    ],
    "an account's pull secrets": [
        post("/api/v1/namespaces/{ns}/serviceaccounts", {"metadata": {"name": "s"},
             "imagePullSecrets": [{"name": "p"}], "automountServiceAccountToken": False}),
        post(PODS, _pod(serviceAccountName="s")),
        _ask(serviceAccountName="none", code=403),
        _ask(serviceAccount="s", code=201),
    ],
    "quality of service": [
        _ask({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}),
        _ask({"resources": {"requests": {"cpu": "1"}}}),
        _ask({}),
        _ask({"resources": {"limits": {"example.com/gpu": "1"}}}),
    ],
    "quantities": [
        _ask({"resources": {"requests": {"cpu": "0.1", "memory": "128974848"}}}),
        _ask({"resources": {"requests": {"cpu": "1e3m", "memory": "129e6"}}}),
        _ask({"resources": {"requests": {"cpu": 2, "memory": "1500Mi"}}}),
        _ask({"resources": {"requests": {"memory": "0.5"}}}),
        _ask({"resources": {"requests": {"cpu": "0.0001"}}}),
        _ask({"resources": {"requests": {"memory": "1Q"}}}, code=(201, 400)),
        _ask({"resources": {"requests": {"memory": ""}}}, code=(201, 400, 422)),
        _ask({"resources": {"requests": {"memory": True}}}, code=400),
    ],
    "resource names": [
        _ask({"resources": {"requests": {"nonsense": "1"}}}),
        _ask({"resources": {"limits": {"example.com/gpu": "1.5"}}}),
        _ask({"resources": {"limits": {"example.com/gpu": "1"},
                            "requests": {"example.com/gpu": "2"}}}),
        _ask({"resources": {"limits": {"hugepages-2Mi": "4Mi"}}}),
        _ask({"resources": {"limits": {"hugepages-2Mi": "4Mi", "memory": "8Mi"}}}),
        _ask({"resources": {"limits": {"requests.cpu": "1"}}}),
        _ask({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}),
        _ask({"resources": {"claims": [{"name": "x"}]}}),
    ],
    "names of containers": [
        _ask({"name": ""}),
        _ask({"name": "x" * 64}),
        _ask({"name": "a.b"}),
        _ask(initContainers=[C]),
        _ask({"image": " x"}),
        _ask({"image": ""}),
    ],
    "environment": [
        _ask({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {
            "fieldPath": "metadata.name"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.volumes"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"fieldRef": {
            "fieldPath": "metadata.labels['a b']"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.x"}}}]}),
        _ask({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {
            "resource": "limits.cpu"}}}]}),
        _ask({"env": [{"name": ""}]}),
        _ask({"env": [{"name": "1 2"}, {"name": "a.b-c"}]}),
        _ask({"envFrom": [{}]}),
        _ask({"envFrom": [{"prefix": "1=", "configMapRef": {"name": "c"}}]}),
        _ask({"envFrom": [{"configMapRef": {"name": "c"}, "secretRef": {"name": "s"}}]}),
        _ask({"envFrom": [{"secretRef": {"name": ""}}]}),
    ],
    "ports": [
        _ask({"ports": [{"containerPort": 0}]}),
        _ask({"ports": [{"containerPort": 1, "protocol": "HTTP"}]}),
        _ask({"ports": [{"containerPort": 1, "name": "A"}]}),
        _ask({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]}),
        _ask({"ports": [{"containerPort": 1, "hostPort": 70000}]}),
        _ask({"ports": [{"containerPort": 80}]}, hostNetwork=True),
        _ask({"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True),
        _ask({"ports": [{"containerPort": 80}, {"containerPort": 80}]}),
    ],
    "probes": [
        _probe(httpGet={"port": 0}),
        _probe(httpGet={"port": "UPPER"}),
        _probe(httpGet={"port": 80, "scheme": "GOPHER"}),
        _probe(httpGet={"port": 80, "httpHeaders": [{"name": "a b", "value": "c"}]}),
        _probe(exec={}),
        _probe(tcpSocket={"port": 99999}),
        _probe(grpc={"port": 0}),
        _probe(exec={"command": ["x"]}, tcpSocket={"port": 1}),
        _probe(exec={"command": ["x"]}, periodSeconds=-1, timeoutSeconds=-1),
        _probe(exec={"command": ["x"]}, terminationGracePeriodSeconds=1),
        _ask({"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}}),
        _ask({"lifecycle": {"postStart": {}}}),
        _ask({"lifecycle": {"preStop": {"sleep": {"seconds": 400}}}}),
        _ask({"lifecycle": {"preStop": {"exec": {"command": []}}}}),
    ],
    "mounts": [
        _volume({"emptyDir": {}}, mountPath=""),
        _volume({"emptyDir": {}}, subPath="../x"),
        _volume({"emptyDir": {}}, subPath="/x"),
        _volume({"emptyDir": {}}, subPath="a", subPathExpr="b"),
        _volume({"emptyDir": {}}, name="w"),
        _volume({"emptyDir": {}}, mountPropagation="Bidirectional"),
        _volume({"emptyDir": {}}, mountPath="a:b"),
        _volume({"emptyDir": {}}, recursiveReadOnly="Enabled"),
        _ask({"volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}]},
             volumes=[{"name": "v"}]),
        _ask({"volumeDevices": [{"name": "v", "devicePath": "/d"}]}, volumes=[{"name": "v"}]),
    ],
    "volumes": [
        _volume({}),
        _volume({"emptyDir": {}, "hostPath": {"path": "/x"}}),
        _volume({"hostPath": {"path": ""}}),
        _volume({"hostPath": {"path": "/x/../y"}}),
        _volume({"hostPath": {"path": "/x", "type": "Thing"}}),
        _volume({"emptyDir": {"medium": "Tape"}}),
        _volume({"emptyDir": {"sizeLimit": "-1"}}),
        _volume({"secret": {}}),
        _volume({"secret": {"secretName": "s", "defaultMode": 1000}}),
        _volume({"secret": {"secretName": "s", "items": [{"key": "", "path": "/x"}]}}),
        _volume({"configMap": {}}),
        _volume({"configMap": {"name": "c", "items": [{"key": "k", "path": "../x"}]}}),
        _volume({"persistentVolumeClaim": {"claimName": ""}}),
        _volume({"downwardAPI": {"items": [{"path": "x"}]}}),
        _volume({"downwardAPI": {"items": [{"path": "x", "fieldRef": {"fieldPath": "no"}}]}}),
        _volume({"projected": {"sources": [{}]}}),
        _volume({"projected": {"sources": [{"serviceAccountToken": {
            "path": "t", "expirationSeconds": 5}}]}}),
        _volume({"projected": {"defaultMode": -1, "sources": [{"secret": {"name": "s"}}]}}),
        _ask(volumes=[{"name": "A"}]),
        _ask(volumes=[{"name": ""}]),
    ],
    "spreading and affinity": [
        _ask(topologySpreadConstraints=[
            {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "X"}]),
        _ask(topologySpreadConstraints=[{
            "maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}}}]),
        _ask(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": []}}}),
        _ask(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Near"}]}]}}}),
        _ask(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": ""}]}}),
        _ask(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 0, "preference": {}}]}}),
        _ask(nodeSelector={"a b": "c"}),
        _ask(tolerations=[{"key": "a b"}, {"operator": "Equal"}, {"operator": "Near"},
                          {"key": "a", "effect": "Maybe"}]),
        _ask(tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 5}]),
    ],
    "times and words": [
        _ask(activeDeadlineSeconds=-1),
        _ask(terminationGracePeriodSeconds=-1),
        _ask(dnsPolicy="Some"),
        _ask(dnsPolicy="None"),
        _ask(dnsConfig={"nameservers": ["x"], "searches": ["a b"]}),
        _ask(preemptionPolicy="Perhaps"),
        _ask(hostname="A.B", subdomain="x_y"),
        _ask(hostAliases=[{"ip": "x", "hostnames": ["a b"]}]),
        _ask(schedulerName=""),
        _ask(nodeName="A B"),
        _ask(readinessGates=[{"conditionType": "a b"}]),
        _ask(overhead={"cpu": "1"}, code=(201, 403, 422)),
        _ask(runtimeClassName="A", code=(403, 422)),
        _ask(imagePullSecrets=[{}]),
        _ask(enableServiceLinks="x", code=400),
        _ask(shareProcessNamespace=True, hostPID=True),
        _ask(os={"name": "beos"}),
        _ask(schedulingGates=[{"name": "a b"}, {"name": "c"}, {"name": "c"}]),
        _ask({"restartPolicy": "Sometimes"}),
        _ask({"terminationMessagePolicy": "Never"}),
        _ask({"stdinOnce": True, "tty": True}),
    ],
    "security contexts": [
        _ask({"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}}),
        _ask({"securityContext": {"runAsUser": -1}}),
        _ask({"securityContext": {"procMount": "Odd"}}),
        _ask({"securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}),
        _ask({"securityContext": {"seccompProfile": {"type": "Localhost"}}}),
        _ask({"securityContext": {"seccompProfile": {"type": "Odd"}}}),
        _ask(securityContext={"runAsUser": -5, "fsGroup": -1, "supplementalGroups": [-2]}),
        _ask(securityContext={"sysctls": [{"name": "a b", "value": "1"}]}),
        _ask(securityContext={"fsGroupChangePolicy": "Rarely"}),
        _ask(securityContext={"runAsNonRoot": True, "runAsUser": 0}),
    ],
    "a pod's updates": [
        post(PODS, _pod(meta={"labels": {"a": "b"}},
                        tolerations=[{"key": "k", "operator": "Exists"}])),
        patch(POD, {"spec": {"hostname": "x"}}, code=422),
        patch(POD, {"spec": {"priority": 5}}, code=(403, 422)),
        patch(POD, {"spec": {"tolerations": None}}, code=(200, 422)),
        patch(POD, {"spec": {"terminationGracePeriodSeconds": 1}}, code=422),
        patch(POD, {"spec": {"nodeName": "n"}}, code=422),
        patch(POD, {"spec": {"containers": [{**C, "image": ""}]}}, code=422),
        patch(POD, {"spec": {"containers": [{**C, "image": "y"}]}}),
        patch(POD, {"spec": {"serviceAccountName": "other"}}, code=(403, 422)),
        patch(POD, {"spec": {"volumes": None}}, code=422),
        patch(POD, {"metadata": {"labels": None, "annotations": {"x": "y"}}}),
        get(POD),
    ],
    "a pod's replacement": [
        post(PODS, _pod()),
        put(POD, _pod(), code=422),
        put(POD, {**_pod(), "spec": {}}, code=422),
        put(POD + "/status", {"metadata": {"name": "a"}, "status": {"phase": "Failed"}},
            code=(200, 422)),
        put(POD + "/status", {"metadata": {"name": "a"}, "spec": {"nodeName": "n"}},
            code=(200, 422)),
        get(POD),
    ],
    "gates that hold a pod": [
        post(PODS, _pod(schedulingGates=[{"name": "example.com/a"}, {"name": "example.com/b"}])),
        patch(POD, {"spec": {"schedulingGates": [{"name": "example.com/c"}]}}, code=422),
        patch(POD, {"spec": {"schedulingGates": [{"name": "example.com/b"}]}}),
        post(POD + "/binding", {"metadata": {"name": "a"}, "target": {"name": "n"}},
             code=(409, 422, 400)),
        patch(POD, {"spec": {"nodeSelector": {"x": "y"}}}, code=(200, 422)),
        patch(POD, {"spec": {"schedulingGates": None}}),
        patch(POD, {"spec": {"nodeSelector": {"x": "z"}}}, code=422),
        get(POD),
    ],
    "binding": [
        post(PODS, _pod()),
        post(POD + "/binding", {"metadata": {"name": "b"}, "target": {"name": "n"}}, code=400),
        post(POD + "/binding", {"metadata": {"name": "a"}, "target": {}}, code=422),
        post(POD + "/binding", {"metadata": {"name": "a"}, "target": {"kind": "Pod", "name": "n"}},
             code=422),
        post(POD + "/binding?dryRun=All", {"metadata": {"name": "a"}, "target": {"name": "n"}}),
        post(POD + "/binding", {"metadata": {"name": "a", "annotations": {"x": "y"}},
                                "target": {"name": "n"}}),
        get(POD),
        post(POD + "/binding", {"metadata": {"name": "a"}, "target": {"name": "n"}}, code=409),
        get(POD + "/binding", code=405),
        post(PODS + "/none/binding", {"metadata": {"name": "none"}, "target": {"name": "n"}},
             code=404),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "the old way to bind": [
        post(PODS, _pod()),
        post("/api/v1/namespaces/{ns}/bindings", {"metadata": {"name": "a"},
                                                  "target": {"name": "n"}}),
        get(POD),
        get("/api/v1/namespaces/{ns}/bindings", code=405),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "eviction": [
        post(PODS, _pod(nodeName="n-{ns}")),
        post(POD + "/eviction", {"metadata": {"name": "b"}}, code=400),
        post(POD + "/eviction?dryRun=All", {"metadata": {"name": "a"}}),
        post(POD + "/eviction", {"metadata": {"name": "a"}, "deleteOptions": {
            "preconditions": {"uid": "x"}}}, code=409),
        post(POD + "/eviction", {"metadata": {"name": "a"}, "deleteOptions": {
            "gracePeriodSeconds": 100}}),
        get(POD),
        post(PODS + "/none/eviction", {"metadata": {"name": "none"}}, code=404),
        delete(POD, {"gracePeriodSeconds": 0}),
    ],
    "streams without a node": [
        post(PODS, _pod()),
        get(POD + "/log", code=400),
        get(POD + "/log?container=zz", code=400),
        get(POD + "/log?tailLines=-1", code=(400, 422)),
        get(POD + "/log?limitBytes=0", code=(400, 422)),
        get(POD + "/log?sinceSeconds=0", code=(400, 422)),
        get(POD + "/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", code=(400, 422)),
        get(POD + "/log?follow=maybe", code=(400, 200)),
        get(POD + "/log?tailLines=x", code=400),
        post(POD + "/exec?command=x", None, code=400),
        post(POD + "/exec", None, code=400),
        post(POD + "/attach", None, code=400),
        post(POD + "/portforward", None, code=400),
        get(PODS + "/none/exec?command=x&stdout=1", code=404),
        post(POD + "/log", {}, code=405),
        delete(POD + "/log", code=405),
    ],
    "priority classes": [
        post("/apis/scheduling.k8s.io/v1/priorityclasses", {
            "metadata": {"name": "{ns}-p"}, "value": 42, "preemptionPolicy": "Never"}),
        post(PODS, _pod(priorityClassName="{ns}-p")),
        _ask(priorityClassName="{ns}-p", priority=41, code=403),
        _ask(priorityClassName="{ns}-p", priority=42, code=201),
        _ask(priorityClassName="{ns}-p", preemptionPolicy="PreemptLowerPriority", code=403),
        _ask(priorityClassName="none", code=403),
        _ask(priorityClassName="system-cluster-critical", code=201),
        post("/apis/scheduling.k8s.io/v1/priorityclasses", {
            "metadata": {"name": "{ns}-q"}, "value": 1000000001}, code=422),
        post("/apis/scheduling.k8s.io/v1/priorityclasses", {
            "metadata": {"name": "system-x"}, "value": 1}, code=(403, 422)),
        delete("/apis/scheduling.k8s.io/v1/priorityclasses/{ns}-p"),
    ],
}  # fmt: skip
