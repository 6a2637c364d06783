"""What installing again keeps and changes, and what removal leaves, on a real Kubernetes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.conformance import worlds
from tests.conformance.installation import ATHANOR, GANG, HOME, Cluster
from tests.conformance.kube import plane

pytestmark = pytest.mark.skipif("kube" not in worlds.wanted(), reason="world kube: no binary")

SAID = ("--storage", "100Gi", "--gateway-url", "https://a.example", "--api-port", "16443",
        "--replicas", "3", "--pull-policy", "Always", "--memory", "1Gi", "--cpu", "1500m",
        "--memory-limit", "2Gi")  # fmt: skip
KINDS = "deployments,networkpolicies,configmaps,persistentvolumeclaims,services,roles,crds"
WATCHED = ("get", KINDS, "-o", "json")


def _is_as_wished(cluster: Cluster, image: str) -> None:
    """Every wish of SAID is where it has its effect."""
    found = {
        (one["kind"], one["metadata"]["name"]): one.get("spec", {})
        for one in json.loads(cluster.kubectl("-n", HOME, *WATCHED))["items"]
    }
    claim = found["PersistentVolumeClaim", "athanor-gateway"]
    assert claim["resources"]["requests"]["storage"] == "100Gi"
    for name, replicas in (("athanor-controllers", 3), ("athanor-gateway", 1)):
        policy, deployment = found["NetworkPolicy", name], found["Deployment", name]
        assert {one["port"] for one in policy["egress"][0]["ports"]} == {443, 16443}
        container = deployment["template"]["spec"]["containers"][0]
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert env["ATHANOR_GATEWAY_URL"] == "https://a.example"
        assert (container["image"], container["imagePullPolicy"]) == (image, "Always")
        assert deployment["replicas"] == replicas
    controllers = found["Deployment", "athanor-controllers"]["template"]["spec"]["containers"][0]
    assert controllers["resources"] == {
        "requests": {"cpu": "1500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"},
    }  # fmt: skip


def test_installing_again_keeps_what_was_wished(cluster: Cluster) -> None:
    cluster.athanor("uninstall", "--delete-data", "--yes")
    cluster.athanor("install", "--image", "x:1", *SAID, "--wait", "0")
    _is_as_wished(cluster, "x:1")
    cluster.athanor("install", "--image", "x:2", "--wait", "0")
    _is_as_wished(cluster, "x:2")
    (memory,) = [one for one in cluster.printed() if one["metadata"]["name"] == "athanor-install"]
    assert (memory["data"]["storage"], memory["data"]["image"]) == ("100Gi", "x:2")
    before = cluster.kubectl("-n", HOME, *WATCHED)
    for words in (("--storage", "20Gi"), ("--memory", "3Gi"), ("--storage", "200Gi")):
        refused = cluster.athanor("install", "--image", "x:3", "--api-port", "443", *words,
                                  "--wait", "0", fails=True)  # fmt: skip
        assert "nothing was changed" in refused, refused
        assert cluster.kubectl("-n", HOME, *WATCHED) == before, words
    assert "claims do not shrink" in cluster.athanor(
        "install", "--dry-run", "--storage", "20Gi", fails=True
    )
    cluster.athanor("uninstall", "--yes")
    cluster.athanor("install", "--wait", "0")
    _is_as_wished(cluster, "x:2")
    cluster.athanor("uninstall", "--delete-data", "--yes")


def test_the_namespace_of_somebody_else_stays_as_it_is(cluster: Cluster) -> None:
    """With all that is in it; of ours everything goes, and what is data only when that is said."""
    ours = ("-n", "ml", "get", "pvc,secrets,configmaps,leases,roles,serviceaccounts", "-o", "name")
    cluster.kubectl("create", "namespace", "ml")
    cluster.kubectl("-n", "ml", "create", "configmap", "mine", "--from-literal=a=b")
    cluster.until("its own objects", lambda: "default" in cluster.kubectl(*ours))
    cluster.until("its own objects", lambda: "kube-root-ca.crt" in cluster.kubectl(*ours))
    before = cluster.kubectl(*ours)
    whole = ("get", "namespace", "ml", "-o", "jsonpath={.metadata.labels}{.metadata.annotations}")
    labels = cluster.kubectl(*whole)
    said = cluster.athanor("install", "--in", "ml", "--image", "athanor:test", "--wait", "0")
    assert "namespace/ml left as it is" in said
    assert cluster.kubectl(*whole) == labels
    day = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "athanor-history-2026-01-01",
                "labels": {"athanor.dev/history": "2026-01-01"},
            },
        }
    )
    cluster.kubectl("-n", "ml", "create", "-f", "-", stdin=day)
    said = cluster.athanor("uninstall", "--in", "ml", "--yes")
    assert "namespace/ml" not in said
    kept = set(cluster.kubectl(*ours).split()) - set(before.split())
    assert kept == {"persistentvolumeclaim/athanor-gateway", "configmap/athanor-install",
                    "configmap/athanor-history-2026-01-01"}  # fmt: skip
    said = cluster.athanor("uninstall", "--in", "ml", "--delete-data", "--yes")
    assert "namespace/ml left as it is" in said
    assert cluster.kubectl(*ours) == before
    cluster.kubectl("delete", "namespace", "ml")


def test_a_cluster_has_one_installation(cluster: Cluster) -> None:
    """Rights and APIServices have no namespace: a second one would take them from the first."""
    cluster.athanor("install", "--in", "own", "--image", "athanor:test", "--wait", "0")
    rights = ("get", "clusterrolebinding", "athanor:controllers", "-o", "json")
    before = cluster.kubectl(*rights)
    for words in (("install", "--image", "x", "--wait", "0"), ("uninstall", "--yes")):
        refused = cluster.athanor(words[0], "--in", "other", *words[1:], fails=True)
        assert "this one's is in namespace own: say --in own" in refused
        assert cluster.kubectl(*rights) == before
    cluster.athanor("uninstall", "--in", "own", "--delete-data", "--yes")


def test_a_namespace_that_install_made_goes_with_the_data(cluster: Cluster) -> None:
    claim = ("-n", "own", "get", "pvc", "athanor-gateway", "-o", "jsonpath={.metadata.uid}")
    cluster.athanor("install", "--in", "own", "--image", "athanor:test", "--wait", "0")
    first = cluster.kubectl(*claim)
    cluster.athanor("uninstall", "--in", "own", "--yes")
    assert cluster.kubectl(*claim) == first
    cluster.athanor("install", "--in", "own", "--wait", "0")
    assert cluster.kubectl(*claim) == first, "logs and code are there as before"
    said = cluster.athanor("uninstall", "--in", "own", "--delete-data", "--yes")
    assert "namespace/own deleted" in said
    assert "namespace/own" not in cluster.kubectl("get", "namespaces", "-o", "name")


OLDER = {
    "trainingjobs": ("debug", "outputs", "progressPattern"),
    "queues": ("fairShare", "preemption"),
    "pools": ("nodeSelector",),
}
"""Kinds, and fields of their specs that an older version did not have."""
QUEUE = """
apiVersion: athanor.dev/v1alpha1
kind: Queue
metadata: {name: team}
spec: {pools: [{pool: default}]}
"""


def test_definitions_that_gain_fields_lose_no_object(cluster: Cluster) -> None:
    cluster.athanor("uninstall", "--delete-data", "--yes")
    whole = cluster.printed("--only", "definitions")
    older = [_older(one) for one in json.loads(json.dumps(whole))]
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    cluster.kubectl(*apply, stdin=yaml.safe_dump_all(older))
    _established(cluster)
    cluster.kubectl("apply", "-f", "-", stdin=GANG.replace("two", "old"))
    cluster.kubectl("apply", "-f", "-", stdin=QUEUE)
    kinds = ("get", "trainingjobs/old", "queues/team", "-o", "json")
    before = _specs(cluster.kubectl(*kinds))
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    assert _specs(cluster.kubectl(*kinds)) == before
    weight = json.dumps({"spec": {"fairShare": {"weight": 3}}})
    cluster.kubectl("patch", "queue", "team", "--type=merge", "-p", weight)
    outputs = json.dumps({"spec": {"outputs": "/out"}})
    cluster.kubectl("patch", "trainingjob", "old", "--type=merge", "-p", outputs)
    newer = _specs(cluster.kubectl(*kinds))
    assert newer["team"]["fairShare"]["weight"] == 3
    assert newer["old"]["outputs"] == "/out"
    cluster.kubectl(*apply, stdin=yaml.safe_dump_all(older))  # rolled back
    cluster.until("the older one is served",
                  lambda: _specs(cluster.kubectl(*kinds)) == before)  # fmt: skip
    cluster.athanor("install", "--wait", "0")
    cluster.until("what nobody wrote meanwhile is there again",
                  lambda: _specs(cluster.kubectl(*kinds)) == newer)  # fmt: skip


def _older(definition: Any) -> Any:
    """A definition without fields that it had gained since."""
    for version in definition["spec"]["versions"]:
        whole = version["schema"]["openAPIV3Schema"]
        spec = whole["properties"]["spec"]
        for schema in (whole, spec):
            schema.pop("x-kubernetes-validations", None)  # they name the fields
        for field in OLDER.get(definition["spec"]["names"]["plural"], ()):
            spec["properties"].pop(field)
    return definition


def _specs(found: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one["spec"] for one in json.loads(found)["items"]}


def _established(cluster: Cluster) -> None:
    ours = ("crd", "-l", "app.kubernetes.io/part-of=athanor")
    cluster.kubectl("wait", "--for=condition=Established", *ours)


def test_kubectl_alone_installs_in_two_steps(cluster: Cluster) -> None:
    cluster.athanor("uninstall", "--delete-data", "--yes")
    athanor = (ATHANOR, "--kubeconfig", str(cluster.kubeconfig), "install", "--dry-run")
    into = f"{plane.kubectl()} apply --server-side --force-conflicts -f -"
    for part in ("definitions", "rest"):
        printed = " ".join((*athanor, "--only", part, "--image", "athanor:test", "2>/dev/null"))
        cluster.run("bash", "-c", f"set -o pipefail; {printed} | {into}")
        _established(cluster)
    cluster.kubectl("get", "pool/default", "queue/default", "-o", "name")
    said = cluster.athanor("install", "--wait", "0")
    assert "deployment.apps/athanor-controllers unchanged" in said, said
    said = cluster.athanor("uninstall", "--delete-data", "--yes")
    assert f"namespace/{HOME} left as it is" in said, "kubectl made it, who knows when"
    cluster.kubectl("delete", "namespace", HOME)
