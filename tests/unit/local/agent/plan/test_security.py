"""What pods ask of their identity: honoured when it is what they get, else refused by name."""

from __future__ import annotations

import pytest

from athanor.api.meta import JSON
from athanor.local.agent.plan.security import objection


def asked(pod: JSON | None = None, container: JSON | None = None, **spec: object) -> str:
    whole = {"spec": {"securityContext": pod or {}, **spec}}
    return objection(whole, {"name": "c", "securityContext": container or {}}, 2000, 3000)


def test_what_is_given_anyway_is_honoured() -> None:
    assert asked() == ""
    assert objection({"spec": {}}, {"name": "c"}, 2000, 3000) == ""
    same: JSON = {"runAsUser": 2000, "runAsGroup": 3000, "fsGroup": 3000, "runAsNonRoot": True}
    assert asked(same, {"runAsUser": 2000}) == ""
    less: JSON = {
        "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert asked(container=less) == ""
    assert asked({"runAsUser": 0}, {"runAsUser": 2000}) == ""  # the container's own wins


@pytest.mark.parametrize(
    ("pod", "container", "spec", "said"),
    [
        ({"runAsUser": 0}, {}, {}, "runAsUser 0"),
        ({}, {"runAsUser": 1000}, {}, "run as user 2000 here"),
        ({"runAsGroup": 1}, {}, {}, "runAsGroup 1"),
        ({"fsGroup": 999}, {}, {}, "group 999"),
        ({"supplementalGroups": [3000, 5]}, {}, {}, "group 5"),
        ({}, {"privileged": True}, {}, "privileged"),
        ({}, {"capabilities": {"add": ["NET_ADMIN"]}}, {}, "capabilities NET_ADMIN"),
        ({"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}, {}, {}, "somaxconn"),
        ({"seccompProfile": {"type": "Localhost"}}, {}, {}, "Localhost"),
        ({}, {}, {"hostPID": True}, "hostPID"),
        ({}, {}, {"hostIPC": True}, "hostIPC"),
    ],
)
def test_what_is_not_is_refused_by_name(pod: JSON, container: JSON, spec: JSON, said: str) -> None:
    assert said in asked(pod, container, **spec)


def test_the_machines_network_is_for_those_who_may() -> None:
    pod: JSON = {"spec": {"hostNetwork": True}}
    assert objection(pod, {"name": "c"}, 2000, 3000) == ""
    refused = objection(pod, {"name": "c"}, 2000, 3000, host_network=False)
    assert refused.startswith("hostNetwork: only administrators")
    assert objection({"spec": {}}, {"name": "c"}, 2000, 3000, host_network=False) == ""
