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


def _quota(**hard):
    return [
        get(NS + "/serviceaccounts/default", within=10),
        post(NS + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}}),
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
