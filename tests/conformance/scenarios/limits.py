"""LimitRange: defaults, bounds of containers, pods and claims, and what contradicts itself."""

from __future__ import annotations

from tests.conformance.scenario import get, post

NS = "/api/v1/namespaces/{ns}"
_LIMITS = [
    {
        "type": "Container",
        "max": {"cpu": "2", "memory": "1Gi"},
        "min": {"cpu": "100m"},
        "default": {"cpu": "0.5"},
        "defaultRequest": {"memory": "64Mi"},
        "maxLimitRequestRatio": {"cpu": "4"},
    },
    {"type": "Pod", "max": {"cpu": "3"}},
    {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}, "min": {"storage": "1Mi"}},
]


def _range(name, *limits):
    return {"metadata": {"name": name}, "spec": {"limits": list(limits)}}


def _pod(name, *resources):
    containers = [
        {"name": f"c{n}", "image": "x:1", "resources": one} for n, one in enumerate(resources)
    ]
    return {"metadata": {"name": name}, "spec": {"containers": containers}}


def _refused(pod, why):
    return post(NS + "/pods", pod, code=403, message=f'pods "p" is forbidden: {why}')


def _wrong(limits, *causes):
    wanted = [{"field": f"spec.limits[0].{f}", "message": m} for f, m in causes]
    body = _range("bad", limits)
    return post(NS + "/limitranges", body, code=422, see={"details": {"causes": wanted}})


SCENARIOS = {
    "limits of containers, pods and claims": [
        get(NS + "/serviceaccounts/default", within=10),
        post(
            NS + "/limitranges",
            _range("lr", *_LIMITS),
            see={
                "spec": {
                    "limits": [
                        {
                            "default": {"cpu": "500m", "memory": "1Gi"},
                            "defaultRequest": {"cpu": "500m", "memory": "64Mi"},
                        },
                        {"default": "<absent>"},
                        {"type": "PersistentVolumeClaim"},
                    ]
                }
            },
        ),
        get("/api/v1", see={"resources": "<any>"}),
        post(
            NS + "/pods",
            _pod("a", {}),
            see={
                "metadata": {
                    "annotations": {
                        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu, memory request "
                        "for container c0; cpu, memory limit for container c0"
                    }
                },
                "spec": {
                    "containers": [
                        {
                            "resources": {
                                "limits": {"cpu": "500m", "memory": "1Gi"},
                                "requests": {"cpu": "500m", "memory": "64Mi"},
                            }
                        }
                    ]
                },
                "status": {"qosClass": "Burstable"},
            },
        ),
        post(
            NS + "/pods",
            _pod("b", {"limits": {"memory": "128Mi"}}),
            see={
                "spec": {
                    "containers": [
                        {
                            "resources": {
                                "limits": {"cpu": "500m", "memory": "128Mi"},
                                "requests": {"cpu": "500m", "memory": "128Mi"},
                            }
                        }
                    ]
                },
                "status": {"qosClass": "Guaranteed"},
            },
        ),
        _refused(
            _pod("p", {"requests": {"cpu": "200m"}, "limits": {"cpu": "2"}}),
            "cpu max limit to request ratio per Container is 4, but provided ratio is 10.000000",
        ),
        _refused(
            _pod("p", {"requests": {"cpu": "1"}, "limits": {"cpu": "2500m"}}),
            "maximum cpu usage per Container is 2, but limit is 2500m",
        ),
        _refused(
            _pod("p", {"limits": {"cpu": "2"}}, {"limits": {"cpu": "2"}}),
            "maximum cpu usage per Pod is 3, but limit is 4",
        ),
        _refused(
            _pod("p", {"requests": {"cpu": "50m"}, "limits": {"cpu": "100m"}}),
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        post(
            NS + "/persistentvolumeclaims",
            {
                "metadata": {"name": "c"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "3Gi"}},
                },
            },
            code=403,
            message='persistentvolumeclaims "c" is forbidden: maximum storage usage per '
            "PersistentVolumeClaim is 2Gi, but request is 3Gi",
        ),
    ],
    "limits that contradict themselves": [
        _wrong(
            {"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}},
            ("min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1'),
            (
                "defaultRequest[cpu]",
                'Invalid value: "1": min value 2 is greater than default request value 1',
            ),
            ("default[cpu]", 'Invalid value: "2": min value 2 is greater than default value 1'),
        ),
        _wrong(
            {"type": "Container", "default": {"cpu": "3"}, "max": {"cpu": "1"},
             "defaultRequest": {"cpu": "4"}},
            (
                "defaultRequest[cpu]",
                'Invalid value: "4": default request value 4 is greater than max value 1',
            ),
            (
                "defaultRequest[cpu]",
                'Invalid value: "4": default request value 4 is greater than default limit value 3',
            ),
            ("default[cpu]", 'Invalid value: "1": default value 3 is greater than max value 1'),
        ),
        _wrong(
            {"type": "Pod", "default": {"cpu": "1"}},
            ("default", "Forbidden: may not be specified when `type` is 'Pod'"),
        ),
        _wrong(
            {"type": "other", "max": {"cpu": "1"}},
            ("type", 'Invalid value: "other": must be a standard limit type or fully qualified'),
        ),
        _wrong(
            {"type": "PersistentVolumeClaim"},
            (
                "limits",
                "Required value: either minimum or maximum storage value is required, but neither "
                "was provided",
            ),
        ),
    ],
}  # fmt: skip
