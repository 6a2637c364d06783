"""Objects of chance, mostly right: what the generated questions are asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.conformance.questions.dice import Dice

WORDS = ("a", "b", "web", "db", "x-1", "long-name", "v2", "test")
LABELS = ("app", "tier", "example.com/role", "env")
AMOUNTS = ("100m", "0.5", "1", "2", "1500m", "0.0005")
SIZES = ("64Mi", "128M", "1Gi", "1e6", "0.5Gi", "1000000")
_BAD_AMOUNTS = ("x", "-1", "1e3m", "")
_BAD_NAMES = ("A", "a_b", "-a", "a.b")
_IMAGES = ("x:1", "y", "z:latest", "registry.example.com/a/b:c", "w@sha256:" + "0" * 64)


def labels(d: Dice, percent: int = 6) -> dict[str, str]:
    """Some labels."""
    found = {key: d.one(WORDS) for key in d.some(LABELS, 0, 3)}
    if d.maybe(percent):
        found[d.one(("bad key", "a/b/c", ""))] = "x"
    if d.maybe(percent):
        found["app"] = d.one(("bad value", "-", "x" * 64))
    return found


def _amounts(d: Dice) -> dict[str, Any]:
    found = d.fields(
        cpu=(70, lambda: d.mostly(AMOUNTS, _BAD_AMOUNTS, 4)),
        memory=(60, lambda: d.mostly(SIZES, _BAD_AMOUNTS, 4)),
    )
    if d.maybe(15):
        found["nvidia.com/gpu"] = d.mostly(("1", 2, "4"), ("0.5",))
    return found


def _resources(d: Dice) -> dict[str, Any]:
    return d.fields(requests=(60, lambda: _amounts(d)), limits=(60, lambda: _amounts(d)))


def _variable(d: Dice) -> dict[str, Any]:
    name = d.mostly(("A", "B", "PATH_1", "a.b"), ("", "A=B", "ü"))
    source = d.number(1, 6)
    if source == 1:
        path = d.mostly(
            ("metadata.name", "status.podIP", "metadata.labels['app']"), ("spec.x", "metadata")
        )
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
    if source == 2:
        named = d.mostly(("limits.cpu", "requests.memory"), ("limits.x", ""))
        return {"name": name, "valueFrom": {"resourceFieldRef": {"resource": named}}}
    if source == 3:
        kind = d.one(("configMapKeyRef", "secretKeyRef"))
        key = {"name": d.mostly(("c",), ("C_", "")), "key": d.mostly(("k", "a.b"), ("", "a b"))}
        return {"name": name, "valueFrom": {kind: key}}
    return {"name": name, "value": d.one(("", "1", "$(A)", "x y"))}


def _port(d: Dice) -> dict[str, Any]:
    return d.fields(
        containerPort=(97, lambda: d.mostly((80, 443, 8080), (0, 70000))),
        name=(40, lambda: d.mostly(("web", "h-2"), ("UPPER", "a--b", "x" * 16, "1"))),
        protocol=(30, lambda: d.mostly(("TCP", "UDP"), ("ICMP",))),
        hostPort=(10, lambda: d.mostly((0, 8080), (-1, 99999))),
    )


def _handler(d: Dice) -> dict[str, Any]:
    port = d.mostly((80, "web", 8080), (0, "A", 70000))
    return d.mostly(
        (
            {"exec": {"command": ["x", "-y"]}},
            {"httpGet": {"port": port, "path": "/z"}},
            {"httpGet": {"port": port, "scheme": "HTTPS", "httpHeaders": [
                {"name": "X-A", "value": "b"}]}},
            {"tcpSocket": {"port": port}},
            {"grpc": {"port": 80}},
        ),
        ({}, {"exec": {}}, {"exec": {"command": ["x"]}, "tcpSocket": {"port": 80}}),
    )  # fmt: skip


def _probe(d: Dice) -> dict[str, Any]:
    seconds = d.fields(
        periodSeconds=(40, lambda: d.mostly((5, 10), (-1, 0))),
        timeoutSeconds=(30, lambda: d.mostly((1, 2), (-3,))),
        failureThreshold=(30, lambda: d.mostly((1, 5), (-1,))),
        successThreshold=(15, lambda: d.one((1, 2))),
        initialDelaySeconds=(20, lambda: d.mostly((0, 7), (-1,))),
    )
    return {**_handler(d), **seconds}


def _container(d: Dice, name: str, volumes: list[str]) -> dict[str, Any]:
    mounted = d.some([*volumes, *(("none",) if d.maybe(5) else ())], 0, 2)
    return {
        "name": d.mostly((name,), _BAD_NAMES, 3),
        "image": d.mostly(_IMAGES, ("", " x"), 4),
        **d.fields(
            command=(30, lambda: d.some(("sh", "-c", "echo"), 1)),
            args=(20, lambda: d.some(("1", "2"), 1)),
            workingDir=(10, "/w"),
            imagePullPolicy=(20, lambda: d.mostly(("Always", "Never"), ("Often",))),
            terminationMessagePolicy=(8, lambda: d.mostly(("FallbackToLogsOnError",), ("X",), 30)),
            env=(40, lambda: [_variable(d) for _ in range(d.number(1, 3))]),
            envFrom=(10, lambda: [d.mostly(({"configMapRef": {"name": "c"}},), ({},), 20)]),
            ports=(35, lambda: [_port(d) for _ in range(d.number(1, 2))]),
            resources=(55, lambda: _resources(d)),
            livenessProbe=(20, lambda: _probe(d)),
            readinessProbe=(20, lambda: _probe(d)),
            lifecycle=(10, lambda: {d.one(("preStop", "postStart")): _handler(d)}),
            securityContext=(25, lambda: d.fields(
                runAsUser=(50, lambda: d.mostly((0, 1000), (-1,))),
                privileged=(20, True), allowPrivilegeEscalation=(30, False),
                readOnlyRootFilesystem=(30, True),
                capabilities=(20, {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
                seccompProfile=(15, lambda: {"type": d.mostly(("RuntimeDefault",), ("X",), 20)}),
            )),
        ),
        **({"volumeMounts": [
            {"name": v, "mountPath": d.mostly((f"/{v}", "/data"), ("",), 5),
             **d.fields(
                 readOnly=(30, True), subPath=(15, lambda: d.mostly(("s",), ("../s", "/s"))))}
            for v in mounted]} if mounted else {}),
    }  # fmt: skip


def _volume(d: Dice, name: str) -> dict[str, Any]:
    source = d.mostly(
        (
            {"emptyDir": {}},
            {"emptyDir": {"medium": "Memory", "sizeLimit": d.one(SIZES)}},
            {"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}},
            {"secret": {"secretName": "s", "defaultMode": d.mostly((256, 420), (1000, -1))}},
            {"hostPath": {"path": "/tmp"}},
            {"persistentVolumeClaim": {"claimName": "p", "readOnly": d.maybe(50)}},
            {"downwardAPI": {"items": [
                {"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
            {"nfs": {"server": "s", "path": "/e"}},
        ),
        ({}, {"secret": {}}, {"hostPath": {"path": "../x"}}, {"nfs": {"server": "s", "path": "e"}},
         {"emptyDir": {}, "secret": {"secretName": "s"}}),
    )  # fmt: skip
    return {"name": name, **source}


def _toleration(d: Dice) -> dict[str, Any]:
    return d.fields(
        key=(80, lambda: d.mostly(("k", "example.com/k"), ("a b",))),
        operator=(60, lambda: d.mostly(("Exists", "Equal"), ("Near",))),
        value=(30, lambda: d.mostly(("v",), ("a b",))),
        effect=(60, lambda: d.mostly(("NoExecute", "NoSchedule"), ("Maybe",))),
        tolerationSeconds=(20, 30),
    )


def _affinity(d: Dice) -> dict[str, Any]:
    expression = {
        "key": d.mostly(("zone", "example.com/a"), ("a b", "")),
        "operator": d.mostly(("In", "Exists", "Gt"), ("Near",)),
        **d.fields(values=(60, lambda: d.some(("1", "2", "x"), 1, 2))),
    }
    nodes = {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": d.mostly(([{"matchExpressions": [expression]}],), ([],))}}  # fmt: skip
    pods = {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": d.mostly((1, 50), (0, 101)), "podAffinityTerm": {
            "topologyKey": d.mostly(("zone",), ("", "a b")),
            "labelSelector": {"matchLabels": labels(d)}}}]}  # fmt: skip
    return d.one(({"nodeAffinity": nodes}, {"podAntiAffinity": pods}, {"podAffinity": pods}))


def pod(d: Dice) -> dict[str, Any]:
    """A pod that nobody schedules."""
    volumes = d.some(("v", "w", "cache"), 0, 2)
    names = ("c", "d", "c") if d.maybe(5) else ("c", "d", "e")
    spec = {
        "schedulerName": "nobody",
        "containers": [_container(d, n, volumes) for n in names[: d.mostly((1, 2), (0, 3))]],
        **d.fields(
            initContainers=(15, lambda: [_container(d, "i", volumes)]),
            restartPolicy=(40, lambda: d.mostly(("Never", "OnFailure"), ("Sometimes",))),
            nodeSelector=(20, lambda: labels(d)),
            tolerations=(25, lambda: [_toleration(d) for _ in range(d.number(1, 2))]),
            affinity=(20, lambda: _affinity(d)),
            terminationGracePeriodSeconds=(25, lambda: d.mostly((0, 5, 60), (-5,))),
            activeDeadlineSeconds=(15, lambda: d.mostly((60,), (0, -1))),
            hostname=(15, lambda: d.mostly(("h",), ("H", "a.b"))),
            subdomain=(10, "s"),
            dnsPolicy=(15, lambda: d.mostly(("Default", "ClusterFirst"), ("Some", "None"), 20)),
            hostNetwork=(6, True),
            securityContext=(20, lambda: d.fields(
                runAsNonRoot=(40, True), fsGroup=(40, lambda: d.mostly((1,), (-1,))),
                supplementalGroups=(30, [2, 3]))),
            topologySpreadConstraints=(12, lambda: [{
                "maxSkew": d.mostly((1,), (0,)), "topologyKey": "zone",
                "whenUnsatisfiable": d.mostly(("DoNotSchedule",), ("X",)),
                "labelSelector": {"matchLabels": labels(d)}}]),
            hostAliases=(10, lambda: [{"ip": d.mostly(("192.0.2.1",), ("x",)),
                                       "hostnames": ["h.example.com"]}]),
            automountServiceAccountToken=(25, False),
            enableServiceLinks=(15, False),
            shareProcessNamespace=(10, True),
        ),
    }  # fmt: skip
    if volumes:
        spec["volumes"] = [_volume(d, name) for name in volumes]
    return {"spec": spec}


def service(d: Dice) -> dict[str, Any]:
    """A service of a type that a laptop serves, too."""
    ports = [
        d.fields(
            port=(97, lambda: d.mostly((80, 443), (0, 70000))),
            name=(60, lambda name=name: d.mostly((name,), ("A", ""))),
            targetPort=(40, lambda: d.mostly((8080, "web"), (0, "UPPER", 70000))),
            protocol=(30, lambda: d.mostly(("TCP", "UDP"), ("ICMP",))),
            appProtocol=(10, "http"),
        )
        for name in ("x", "y")[: d.number(1, 2)]
    ]
    spec = {"ports": ports, **d.fields(
        selector=(70, lambda: labels(d)),
        clusterIP=(20, lambda: d.mostly(("None",), ("x", "192.0.2.1"))),
        sessionAffinity=(20, lambda: d.mostly(("ClientIP", "None"), ("Some",))),
        publishNotReadyAddresses=(15, True),
        internalTrafficPolicy=(10, lambda: d.mostly(("Local",), ("X",))),
        externalIPs=(8, lambda: [d.mostly(("192.0.2.7",), ("x",))]),
        externalTrafficPolicy=(4, "Local"),
        ipFamilyPolicy=(8, lambda: d.one(("SingleStack", "PreferDualStack"))),
    )}  # fmt: skip
    if d.maybe(10):
        spec = {"type": "ExternalName", "externalName": d.mostly(("example.com",), ("", "A_"))}
    return {"spec": spec}


def config_map(d: Dice) -> dict[str, Any]:
    """A ConfigMap."""
    keys = d.some(("k", "a.b", "A_1", "file.txt"), 0, 3) + (["a b"] if d.maybe(6) else [])
    return {
        "data": {key: d.one(("", "1", "two\nlines", "ü")) for key in keys},
        **d.fields(
            binaryData=(20, lambda: {d.one(("k", "b")): d.mostly(("eA==",), ("!",))}),
            immutable=(12, True),
        ),
    }


def secret(d: Dice) -> dict[str, Any]:
    """A Secret."""
    return d.fields(
        data=(70, lambda: {k: d.mostly(("eA==", ""), ("!",)) for k in d.some(("k", "l"), 1)}),
        stringData=(40, lambda: {k: d.one(WORDS) for k in d.some(("k", "m"), 1)}),
        type=(40, lambda: d.one(("Opaque", "example.com/x", "kubernetes.io/tls"))),
        immutable=(10, True),
    )


def claim(d: Dice) -> dict[str, Any]:
    """A PersistentVolumeClaim of a class that nobody provides."""
    return {"spec": {
        "storageClassName": "none",
        **d.fields(
            accessModes=(92, lambda: [d.mostly(("ReadWriteOnce", "ReadOnlyMany"), ("Often",))]),
            resources=(95, lambda: {"requests": {"storage": d.mostly(SIZES, ("0", "-1", "x"))}}),
            volumeMode=(25, lambda: d.mostly(("Block", "Filesystem"), ("Cube",))),
            volumeName=(10, "v"),
        ),
    }}  # fmt: skip


def quota(d: Dice) -> dict[str, Any]:
    """A ResourceQuota."""
    names = d.some(
        ("pods", "requests.cpu", "limits.memory", "count/secrets", "requests.nvidia.com/gpu",
         "persistentvolumeclaims", "cpu"), 1, 3,
    )  # fmt: skip
    hard = {
        name: d.mostly(("1", "10", "500m" if "cpu" in name else "3"), ("-1", "x")) for name in names
    }
    if d.maybe(8):
        hard[d.one(("odd", "a b"))] = "1"
    return {"spec": {"hard": hard, **d.fields(
        scopes=(25, lambda: d.some(("BestEffort", "NotTerminating", "Terminating", "Odd"), 1, 2)),
    )}}  # fmt: skip


def limit_range(d: Dice) -> dict[str, Any]:
    """A LimitRange."""
    item = {
        "type": d.mostly(("Container", "Pod", "PersistentVolumeClaim"), ("Odd", "")),
        **d.fields(
            min=(50, lambda: {"cpu": d.one(("100m", "1"))}),
            max=(50, lambda: {"cpu": d.one(("500m", "2"))}),
            default=(40, lambda: {"cpu": d.one(("200m", "3"))}),
            defaultRequest=(40, lambda: {"cpu": d.one(("50m", "300m"))}),
            maxLimitRequestRatio=(15, lambda: {"cpu": d.mostly(("2",), ("0.5",))}),
        ),
    }
    return {"spec": {"limits": [item]}}


def lease(d: Dice) -> dict[str, Any]:
    """A Lease."""
    moment = ("2026-01-01T00:00:00.000000Z",)
    return {"spec": d.fields(
        holderIdentity=(60, "h"),
        leaseDurationSeconds=(50, lambda: d.mostly((15,), (0, -1))),
        renewTime=(40, lambda: d.mostly(moment, ("x", "2026-01-01T00:00:00Z"))),
        leaseTransitions=(30, lambda: d.mostly((0, 2), (-1,))),
    )}  # fmt: skip


def role(d: Dice) -> dict[str, Any]:
    """A Role."""
    rules = [
        d.fields(
            apiGroups=(93, lambda: d.some(("", "apps", "*"), 1)),
            resources=(93, lambda: d.some(("pods", "pods/log", "*"), 1)),
            verbs=(95, lambda: d.some(("get", "list", "*"), 1)),
            resourceNames=(20, ["x"]),
            nonResourceURLs=(5, ["/x"]),
        )
        for _ in range(d.number(1, 2))
    ]
    return {"rules": rules}


def account(d: Dice) -> dict[str, Any]:
    """A ServiceAccount."""
    return d.fields(
        automountServiceAccountToken=(40, lambda: d.maybe(50)),
        imagePullSecrets=(40, [{"name": "s"}]),
    )


def endpoint_slice(d: Dice) -> dict[str, Any]:
    """An EndpointSlice."""
    return {
        "addressType": d.mostly(("IPv4",), ("Odd",)),
        "endpoints": [{
            "addresses": d.mostly((["192.0.2.1"], ["192.0.2.1", "192.0.2.2"]), ([], ["x"])),
            **d.fields(conditions=(40, {"ready": True}), hostname=(20, "h"), nodeName=(20, "n")),
        }],
        **d.fields(ports=(70, lambda: [d.fields(
            name=(50, lambda: d.mostly(("w",), ("A B",))), port=(80, 80), protocol=(40, "UDP"))])),
    }  # fmt: skip


def bound(d: Dice) -> dict[str, Any]:
    """A custom object whose schema has bounds."""
    return {"spec": d.fields(
        text=(50, lambda: d.mostly(("ab", "abc"), ("a", "abcde", "A1", 3))),
        word=(40, lambda: d.mostly(("a", "b"), ("c", 1))),
        number=(50, lambda: d.mostly((2, 4, 8), (1, 10, "2", 2.5))),
        open=(30, lambda: d.mostly((0.5, 1), (0, -1))),
        items=(40, lambda: d.mostly((["x"], ["x", "y"]), ([], ["x", "y", "z"], "x"))),
        map=(30, lambda: d.mostly(({"a": 1},), ({}, {"a": "1"}))),
        maybe=(20, None), flag=(30, lambda: d.mostly((True, False), ("yes",))),
        either=(30, lambda: d.mostly((1, "1"), (1.5,))),
        needs=(30, lambda: d.mostly(({"a": "1"},), ({}, {"b": "1"}))),
        date=(20, lambda: d.mostly(("2026-01-01T00:00:00Z",), ("2026", "x"))),
        address=(20, lambda: d.mostly(("192.0.2.1",), ("x", "::1"))),
        one=(20, lambda: d.mostly(({"x": "1"},), ({}, {"x": "1", "y": "2"}))),
        unknown=(8, 1),
    )}  # fmt: skip


def ruled(d: Dice) -> dict[str, Any]:
    """A custom object with rules."""
    return {"spec": d.fields(
        n=(60, lambda: d.mostly((1, 2, 5), (0, -3))), m=(50, lambda: d.mostly((6, 9), (1,))),
        s=(40, lambda: d.mostly(("a", "abc"), ("b", "x" * 21))), fixed=(30, lambda: d.one(WORDS)),
        l=(30, lambda: d.mostly((["a"], []), (["bad"], ["a"] * 6))),
        map=(30, lambda: [{"name": "a", "value": d.mostly((1,), (0,))}]),
        either=(20, lambda: d.mostly((2, "x"), (1,))), q=(20, lambda: d.mostly(("1Mi",), ("2Gi",))),
    )}  # fmt: skip


CUSTOM = "parity.example.com/v1"
KINDS: Mapping[str, tuple[str, str, Callable[[Dice], dict[str, Any]]]] = {
    "Pod": ("v1", "pods", pod),
    "Service": ("v1", "services", service),
    "ConfigMap": ("v1", "configmaps", config_map),
    "Secret": ("v1", "secrets", secret),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims", claim),
    "ResourceQuota": ("v1", "resourcequotas", quota),
    "LimitRange": ("v1", "limitranges", limit_range),
    "ServiceAccount": ("v1", "serviceaccounts", account),
    "Lease": ("coordination.k8s.io/v1", "leases", lease),
    "Role": ("rbac.authorization.k8s.io/v1", "roles", role),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices", endpoint_slice),
    "Bound": (CUSTOM, "bounds", bound),
    "Ruled": (CUSTOM, "ruleds", ruled),
}
"""Kind → apiVersion, plural, maker."""
