"""ResourceQuota: what a pod counts for, and what it has to say to be counted at all."""

from __future__ import annotations

from tests.conformance.scenario import get, post

NS = "/api/v1/namespaces/{ns}"


def _box(name, restart=None, **amounts):
    more = {"restartPolicy": restart} if restart else {}
    return {"name": name, "image": "x:1", "resources": amounts, **more}


def _pod(name, boxes, first=(), **spec):
    return {
        "metadata": {"name": name},
        "spec": {"containers": boxes, "initContainers": [*first], **spec},
    }


def _affine(name, kind, **term):
    one = {"topologyKey": "zone", "labelSelector": {}, **term}
    liked = [{"weight": 1, "podAffinityTerm": one}]
    said = {"preferredDuringSchedulingIgnoredDuringExecution": liked}
    return _pod(name, [_box("a")], affinity={kind: said})


def _quota(scopes=None, **hard):
    spec = {"hard": hard, **({"scopes": scopes} if scopes else {})}
    return [
        get(NS + "/serviceaccounts/default", within=10),
        post(NS + "/resourcequotas", {"metadata": {"name": "q"}, "spec": spec}),
        get(NS + "/resourcequotas/q", see={"status": {"hard": "<any>"}}, within=10),
    ]


SCENARIOS = {
    "a pod counts with its sidecars and what runs beside them": [
        *_quota(**{"requests.cpu": "10", "limits.cpu": "20"}),
        post(
            NS + "/pods",
            _pod(
                "a",
                [_box("main", requests={"cpu": "1"}, limits={"cpu": "2"})],
                [
                    _box("side", "Always", requests={"cpu": "2"}, limits={"cpu": "3"}),
                    _box("first", requests={"cpu": "4"}, limits={"cpu": "4"}),
                ],
            ),
        ),
        get(
            NS + "/resourcequotas/q",
            see={"status": {"used": {"requests.cpu": "6", "limits.cpu": "7"}}},
            within=10,
        ),
    ],
    "who looks into other namespaces is counted where a quota says so": [
        *_quota(["CrossNamespacePodAffinity"], pods="0"),
        post(NS + "/pods", _affine("at-home", "podAffinity"), code=201),
        *(
            post(NS + "/pods", _affine("p", kind, **term), code=403,
                 message='pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: '
                 "pods=0, limited: pods=0")
            for kind, term in (("podAffinity", {"namespaces": ["default"]}),
                               ("podAntiAffinity", {"namespaceSelector": {}}))
        ),
    ],
    "every container says what is counted": [
        *_quota(**{"requests.cpu": "10", "limits.memory": "1Gi", "pods": "5"}),
        post(
            NS + "/pods",
            _pod("p", [_box("b", requests={"cpu": "1"}), _box("a", limits={"memory": "1Mi"})],
                 [_box("first")]),
            code=403,
            message='pods "p" is forbidden: failed quota: q: must specify limits.memory for: '
            "b,first; requests.cpu for: a,first",
        ),
        post(NS + "/pods", _pod("whole", [_box("a")], resources={"requests": {"cpu": "1"}}),
             code=201),
        get(NS + "/resourcequotas/q", see={"status": {"used": {"requests.cpu": "1"}}}, within=10),
    ],
}  # fmt: skip
