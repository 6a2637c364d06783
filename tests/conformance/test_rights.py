"""Identities, rights and definitions of custom resources, asked with kubectl on both servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from athanor.api import crd
from tests.conformance.test_kubectl import kubectl as kubectl

Run = Callable[..., str]

ANSWERS = json.loads(
    (
        Path(__file__).parent.parent / "unit" / "local" / "apiserver" / "our_kinds_answers.json"
    ).read_text()
)["answers"]


def test_rights_of_a_user(kubectl: Run, namespace: str) -> None:
    jane = ("--as", "jane")
    refused = kubectl("get", "pods", *jane, fails=True)
    assert (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the '
        f'namespace "{namespace}"'
    ) in refused
    assert kubectl("auth", "can-i", "list", "pods", *jane, fails=True).strip() == "no"
    kubectl("create", "rolebinding", "jane", "--clusterrole", "view", "--user", "jane")
    assert kubectl("auth", "can-i", "list", "pods", *jane).strip() == "yes"
    assert kubectl("auth", "can-i", "delete", "pods", *jane, fails=True).strip() == "no"
    assert "No resources found" in kubectl("get", "configmaps", "-l", "none=such", *jane)
    listed = kubectl("auth", "can-i", "--list", *jane)
    assert "selfsubjectreviews.authentication.k8s.io" in listed and "pods/log" in listed
    who = json.loads(kubectl("auth", "whoami", "-o", "json", *jane, "--as-group", "dev"))
    assert who["status"]["userInfo"]["groups"] == ["dev", "system:authenticated"]


def test_nobody_grants_what_they_lack(kubectl: Run, namespace: str) -> None:
    kubectl("create", "role", "maker", "--verb=create,get", "--resource=roles,rolebindings")
    kubectl("create", "rolebinding", "maker", "--role", "maker", "--user", "joe")
    refused = kubectl(
        "create", "role", "more", "--verb=get,list", "--resource=secrets", "--as", "joe", fails=True
    )
    assert (
        'user "joe" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not '
        'currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    ) in refused


def test_a_token_of_a_service_account(kubectl: Run, namespace: str) -> None:
    kubectl("create", "serviceaccount", "bot")
    token = kubectl("create", "token", "bot", "--duration", "15m").strip()
    review = {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}
    }  # fmt: skip

    def asked() -> dict[str, Any]:
        path = "/apis/authentication.k8s.io/v1/tokenreviews"
        said = kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(review))
        status: dict[str, Any] = json.loads(said)["status"]
        return status

    said = asked()
    assert said["authenticated"]
    assert said["user"]["username"] == f"system:serviceaccount:{namespace}:bot"
    assert f"system:serviceaccounts:{namespace}" in said["user"]["groups"]
    kubectl("delete", "serviceaccount", "bot")
    end = time.monotonic() + 30  # Kubernetes remembers good tokens for ten seconds
    while "authenticated" in (said := asked()) and time.monotonic() < end:
        time.sleep(0.5)
    assert "authenticated" not in said and said["error"]


@pytest.mark.parametrize("first", range(0, len(ANSWERS), 17))
def test_objects_of_our_kinds(kubectl: Run, namespace: str, first: int) -> None:
    """Seventeen objects a time: what is refused names the same fields everywhere."""
    for made in crd.manifests():
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=made)
    kubectl("wait", "--for=condition=Established", "crd/gangs.athanor.dev", "--timeout=20s")
    for case in ANSWERS[first : first + 17]:
        meta = {k: v for k, v in case["object"]["metadata"].items() if k != "namespace"}
        obj: dict[str, Any] = {**case["object"], "metadata": meta}
        said = kubectl(
            "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=obj,
            fails=case["code"] >= 300,
        )  # fmt: skip
        said = said.replace("\n", " ").replace('"object": ', "")  # older ones name the rule's type
        for cause in case.get("causes", ()):
            assert cause["message"].splitlines()[0][:200] in said or (cause["field"] == "<nil>"), (
                obj,
                said,
            )
