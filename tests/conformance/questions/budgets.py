"""ResourceQuota, LimitRange and Services: what admission adds, counts and refuses."""

from __future__ import annotations

from typing import Any

from tests.conformance.scenario import Step, delete, get, patch, post, put

NS = "/api/v1/namespaces/{ns}"
QUOTAS, PODS, SVCS = NS + "/resourcequotas", NS + "/pods", NS + "/services"
SVC = SVCS + "/a"


def _quota(name: str = "q", scopes: Any = None, selector: Any = None, **hard: str) -> list[Step]:
    """A quota, and its first count awaited."""
    hard = {k.replace("__", "."): v for k, v in hard.items()}
    spec: dict[str, Any] = {"hard": hard}
    spec |= {"scopes": scopes} if scopes else {}
    spec |= {"scopeSelector": selector} if selector else {}
    return [
        post(QUOTAS, {"metadata": {"name": name}, "spec": spec}),
        get(f"{QUOTAS}/{name}", within=10, see={"status": {"used": "<any>"}}),
    ]


def _pod(name: str, requests: Any = None, limits: Any = None, code: Any = 201, **spec: Any) -> Step:
    resources = {"requests": requests or {}, "limits": limits or {}}
    spec = {"containers": [{"name": "c", "image": "x:1", "resources": resources}], **spec}
    return post(PODS, {"metadata": {"name": name}, "spec": spec}, code=code)


def _used(name: str = "q", **used: str) -> Step:
    wanted = {k.replace("__", "."): v for k, v in used.items()}
    return get(f"{QUOTAS}/{name}", within=10, see={"status": {"used": wanted}})


def _service(name: str = "a", code: Any = 201, query: str = "", **spec: Any) -> Step:
    return post(SVCS + query, {"metadata": {"name": name}, "spec": spec}, code=code)


def _ask(**spec: Any) -> Step:
    return _service(code=(201, 422), query="?dryRun=All", **spec)


P = {"port": 80}
SCENARIOS = {
    "a quota of memory and limits": [
        *_quota(limits__memory="1Gi", requests__memory="512Mi"),
        _pod("a", code=403),
        _pod("a", {"memory": "256Mi"}, code=403),
        _pod("a", {"memory": "256Mi"}, {"memory": "512Mi"}),
        _used(requests__memory="256Mi"),
        _pod("b", {"memory": "257Mi"}, {"memory": "512Mi"}, code=403),
        _pod("b", {"memory": "256Mi"}, {"memory": "512Mi"}),
        _used(requests__memory="512Mi"),
    ],
    "a quota counts objects": [
        *_quota(configmaps="2", secrets="0", services="1", **{"count/leases.coordination.k8s.io":
                                                              "1"}),
        post(NS + "/configmaps", {"metadata": {"name": "a"}}),
        post(NS + "/configmaps", {"metadata": {"name": "b"}}, code=403),
        post(NS + "/secrets", {"metadata": {"name": "a"}}, code=403),
        _service(ports=[P]),
        _service("b", code=403, ports=[P]),
        post("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases", {"metadata": {"name": "a"}}),
        post("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases", {"metadata": {"name": "b"}},
             code=403),
        delete(NS + "/configmaps/a"),
        _used(configmaps="1"),
        post(NS + "/configmaps?dryRun=All", {"metadata": {"name": "c"}}),
        _used(configmaps="1"),
    ],
    "two quotas": [  # one of them refuses: a real server asks them in no fixed order
        *_quota("q", pods="2"),
        *_quota("r", pods="5", cpu="1"),
        _pod("a", {"cpu": "2"}, code=403),
        _pod("a", {"cpu": "1"}),
        _used("r", pods="1", cpu="1"),
        _pod("b", {"cpu": "1"}, code=403),
    ],
    "scopes of a quota": [
        *_quota("effort", scopes=["BestEffort"], pods="1"),
        *_quota("rest", scopes=["NotBestEffort"], pods="1", requests__cpu="1"),
        _pod("a"),
        _pod("b", code=403),
        _pod("c", {"cpu": "1"}),
        _pod("d", {"cpu": "1"}, code=403),
        _used("effort", pods="1"),
        _used("rest", pods="1"),
    ],
    "a quota for a priority": [
        *_quota(selector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In",
                                                "values": ["system-node-critical"]}]}, pods="0"),
        _pod("a"),
        _pod("b", code=403, priorityClassName="system-node-critical"),
    ],
    "pods that are done are not counted": [
        *_quota(pods="1", requests__cpu="1"),
        _pod("a", {"cpu": "1"}),
        patch(PODS + "/a/status", {"status": {"phase": "Succeeded"}}),
        _used(pods="0"),
        _pod("b", {"cpu": "1"}),
    ],
    "a quota of extended resources": [
        *_quota(**{"requests.example.com/gpu": "2"}),
        _pod("a", {"example.com/gpu": "2"}, {"example.com/gpu": "2"}),
        _pod("b", {"example.com/gpu": "1"}, {"example.com/gpu": "1"}, code=403),
        _pod("c"),
    ],
    "a quota of claims": [
        *_quota(persistentvolumeclaims="2", requests__storage="3Gi",
                **{"fast.storageclass.storage.k8s.io/requests.storage": "1Gi"}),
        *(post(NS + "/persistentvolumeclaims", {"metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": of,
            "resources": {"requests": {"storage": size}}}}, code=code)
          for name, of, size, code in (("a", "fast", "2Gi", 403), ("a", "fast", "1Gi", 201),
                                       ("b", "slow", "2Gi", 201), ("c", "slow", "1Mi", 403))),
        _used(persistentvolumeclaims="2"),
    ],
    "a quota that is lowered": [
        *_quota(pods="2"),
        _pod("a"),
        patch(QUOTAS + "/q", {"spec": {"hard": {"pods": "0"}}}),
        get(QUOTAS + "/q", within=10, see={"status": {"hard": {"pods": "0"}}}),
        _pod("b", code=403),
    ],
    "quotas that are wrong": [
        *(post(QUOTAS, {"metadata": {"name": "w"}, "spec": spec}, code=422) for spec in (
            {"hard": {"a b": "1"}}, {"hard": {"cpu": "-1"}},
            {"hard": {"pods": "1"}, "scopes": ["Odd"]},
            {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]},
            {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
            {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In"}]}})),
        post(QUOTAS, {"metadata": {"name": "w"}, "spec": {"hard": {"pods": "x"}}}, code=400),
    ],
    "limits are filled in": [
        post(NS + "/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"cpu": "10m"},
             "max": {"memory": "128Mi"}}]}}),
        Step(method="POST", path=PODS, code=201, within=5, body={
            "metadata": {"generateName": "g-"}, "spec": {"containers": [
                {"name": "c", "image": "x"}]}}, see={"spec": {"containers": [
                    {"resources": {"limits": {"memory": "64Mi"}}}]}}),
        _pod("b", {"memory": "100Mi"}, code=(201, 403, 422)),
        _pod("c", {"memory": "1Mi"}, {"memory": "129Mi"}, code=403),
        _pod("d", initContainers=[{"name": "i", "image": "x"}]),
    ],
    "limits of claims": [
        post(NS + "/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"},
             "min": {"storage": "1Mi"}}]}}),
        *(Step(method="POST", path=NS + "/persistentvolumeclaims", code=code, within=5, body={
            "metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
                                                 "resources": {"requests": {"storage": size}}}})
          for name, size, code in (("a", "2Gi", 403), ("b", "1Ki", 403), ("c", "1Gi", 201))),
    ],
    "a service's defaults": [
        _service(ports=[P, {"port": 81, "name": "x"}], code=422),
        _service(ports=[P], selector={"a": "b"}),
        _service("h", clusterIP="None", ports=[P]),
        _service("n", ports=[], clusterIP="None"),
        _service("e", type="ExternalName", externalName="example.com"),
        _service("u", ports=[{"port": 53, "protocol": "UDP", "targetPort": "dns",
                              "appProtocol": "x.y/z"}]),
        _service("s", ports=[P], sessionAffinity="ClientIP"),
    ],
    "services that are wrong": [
        _ask(),
        _ask(ports=[{"port": 0}]),
        _ask(ports=[{"port": 80, "targetPort": 70000}]),
        _ask(ports=[{"port": 80, "targetPort": "A_B"}]),
        _ask(ports=[{"port": 80, "protocol": "ICMP"}]),
        _ask(ports=[{"port": 80, "name": "A"}]),
        _ask(ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]),
        _ask(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]),
        _ask(ports=[P], type="Odd"),
        _ask(ports=[P], clusterIP="x"),
        _ask(ports=[P], clusterIP="192.0.2.1"),
        _ask(ports=[P], selector={"a b": "c"}),
        _ask(ports=[P], sessionAffinity="Odd"),
        _ask(ports=[P], sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}},
             sessionAffinity="ClientIP"),
        _ask(type="ExternalName"),
        _ask(type="ExternalName", externalName="a b"),
        _ask(ports=[P], externalIPs=["x"]),
        _ask(ports=[P], ipFamilyPolicy="Odd"),
        _ask(ports=[P], ipFamilies=["IPv6"]),
        _ask(ports=[P], internalTrafficPolicy="Odd"),
        _ask(ports=[P], externalTrafficPolicy="Local"),
        _service("q", code=400, ports=[P], publishNotReadyAddresses="x"),
        post(SVCS, {"metadata": {"name": "1a"}, "spec": {"ports": [P]}}, code=(201, 422)),
        post(SVCS, {"metadata": {"name": "a.b"}, "spec": {"ports": [P]}}, code=422),
    ],
    "a service's changes": [
        _service(ports=[P]),
        patch(SVC, {"spec": {"clusterIP": None}}),
        patch(SVC, {"spec": {"clusterIP": "None"}}, code=422),
        patch(SVC, {"spec": {"ports": [{"port": 90, "name": "z"}]}}),
        patch(SVC, {"spec": {"type": "ExternalName", "externalName": "example.com"}},
              code=(200, 422)),
        patch(SVC, {"spec": {"type": "ExternalName", "externalName": "example.com",
                             "clusterIP": ""}}, code=(200, 422)),
        put(SVC, {"metadata": {"name": "a"}, "spec": {"ports": [P]}}, code=(200, 422)),
        delete(SVC),
        get(SVC, code=404),
    ],
    "an address that is taken": [
        post(SVCS, {"metadata": {"name": "a"}, "spec": {"ports": [P]}},
             save={"address": "spec.clusterIP"}),
        post(SVCS, {"metadata": {"name": "b"}, "spec": {"ports": [P], "clusterIP": "{address}"}},
             code=422),
        delete(SVC),
        post(SVCS, {"metadata": {"name": "b"}, "spec": {"ports": [P], "clusterIP": "{address}"}}),
    ],
}  # fmt: skip
