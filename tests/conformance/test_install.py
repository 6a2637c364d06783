"""Installing on a real Kubernetes: rights that suffice and no more, fail-over, upgrade, removal.

What upgrades keep and removal leaves is in `test_upgrade`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from athanor.assembly import aggregated, rights
from tests.acceptance.test_docs import commands
from tests.conformance import worlds
from tests.conformance.installation import ATHANOR, GANG, HOME, Cluster, end
from tests.conformance.kube import plane

RULES = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheusrules.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: PrometheusRule, plural: prometheusrules, singular: prometheusrule}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
"""What the Prometheus operator brings, without its schema."""

MUDDLED = """
apiVersion: athanor.dev/v1alpha1
kind: Queue
metadata: {name: muddled}
spec:
  pools: [{pool: default, guaranteed: {cpu: 64Ki}, limit: {cpu: 8}}]
"""

pytestmark = pytest.mark.skipif("kube" not in worlds.wanted(), reason="world kube: no binary")


def test_what_is_installed_works_with_the_rights_it_gets(cluster: Cluster) -> None:
    said = cluster.athanor("install", "--image", "athanor:test")
    assert "customresourcedefinition.apiextensions.k8s.io/gangs.athanor.dev created" in said
    assert "deployment.apps/athanor-controllers created" in said
    again = cluster.athanor("install", "--image", "athanor:test")
    lines = [line for line in again.splitlines() if "/" in line.split(" ")[0]]
    older = "MutatingAdmissionPolicy" not in cluster.kubectl("api-resources", "--cached=false")
    lacking = [line for line in lines if "this Kubernetes is older than" in line]
    assert bool(lacking) == older, again
    left = [line for line in lines if line not in lacking]
    assert left and all(line.endswith("unchanged") for line in left), again
    first = cluster.replica("replica-a")
    cluster.until("a leader", lambda: cluster.leader() == "replica-a")
    second = cluster.replica("replica-b")
    cluster.kubectl("apply", "-f", "-", stdin=GANG)
    running = (
        "get",
        "pods",
        "-l",
        "athanor.dev/job=two",
        "-o",
        "jsonpath={.items[*].status.phase}",
    )
    cluster.until("two pods", lambda: cluster.kubectl(*running).split() == ["Running"] * 2)
    log = (cluster.folder / "replica-a.log").read_text()
    assert "forbidden" not in log.lower(), log
    first.kill()
    first.wait()
    cluster.until("the other leads", lambda: cluster.leader() == "replica-b", within=60)
    cluster.athanor("delete", "two", "--yes")
    cluster.until("no pods", lambda: not cluster.kubectl(*running).split())
    assert "forbidden" not in (cluster.folder / "replica-b.log").read_text().lower()
    end(second)


VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
Asked = tuple[str, str, str, str]
"""Verb, group, resource (with /subresource), name."""


def test_every_account_may_do_what_the_table_says_and_no_more(cluster: Cluster) -> None:
    """All verbs of all resources that the server has are asked, at home and elsewhere."""
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    everything = [(v, *what, "") for what in _resources(cluster) for v in VERBS]
    named = [
        (verb, group, resource, "some") for verb, group, resource, _ in everything
        if resource in ("secrets", "apiservices") and verb != "create"  # that knows no name
    ]  # fmt: skip
    usual = {
        where: _allowed(cluster, ("elsewhere", "somebody"), where, [*everything, *named])
        for where in (HOME, "default")
    }
    everywhere = rights.pods() + rights.reader()
    near = rights.secret()
    for account, far, home in (
        ("athanor-controllers", rights.controllers() + rights.answering(),
         rights.leader() + near + rights.pointing()),
        ("athanor-gateway", rights.gateway() + rights.collecting(), near),
    ):  # fmt: skip
        for where, granted in (("default", far), (HOME, far + home)):
            table = _questions(granted + everywhere)
            found = _allowed(cluster, (HOME, account), where, [*everything, *named, *table])
            assert sorted(set(table) - found) == [], (account, where)
            assert sorted(found - usual[where] - set(table)) == [], (account, where)
    assert not [v for v, g, r, _ in usual["default"] if (g, r) == ("", "secrets")]
    roles = json.loads(cluster.kubectl("get", "clusterroles,roles", "-A", "-o", "json"))["items"]
    ours = [role["rules"] for role in roles if role["metadata"]["name"].startswith("athanor:")]
    assert len(ours) == 8 and "*" not in json.dumps(ours)


@pytest.mark.parametrize("role", ["view", "edit"])
def test_people_may_do_what_the_table_adds_to_their_role_where_they_have_it(
    cluster: Cluster, role: str
) -> None:
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    user = f"{role}er"
    cluster.kubectl(
        "-n", "default", "create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}"
    )
    who, shared = (
        {"user": user, "groups": ["system:authenticated"]},
        set(_questions(rights.reader())),
    )
    table = _questions(rights.view() + (rights.edit() if role == "edit" else []))
    mine = [one for one in table if one not in shared]
    cluster.until(  # Kubernetes' controller aggregates
        "the role has it", lambda: set(mine) == _answered(cluster, who, "default", mine), within=30
    )
    assert _answered(cluster, who, "kube-public", mine) == set()
    status = [("patch", "athanor.dev", f"{kind}/status", "") for kind in ("gangs", "trainingjobs")]
    more = [("create", "athanor.dev", kind, "") for kind in ("queues", "pools", "reservations")]
    more += [] if role == "edit" else [("create", "athanor.dev", "trainingjobs", "")]
    assert _answered(cluster, who, "default", status + more) == set()


def _questions(granted: list[rights.Right]) -> list[Asked]:
    """Every row of a table, word by word."""
    return [
        (verb, right.group, resource, name)
        for right in granted for resource in right.resources.split()
        for verb in right.verbs.split() for name in right.only.split() or [""]
    ]  # fmt: skip


def _resources(cluster: Cluster) -> list[tuple[str, str]]:
    """Group and name of every resource that the server has, subresources too."""
    found = set()
    for version in cluster.kubectl("api-versions").split():
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for one in json.loads(cluster.kubectl("get", "--raw", path))["resources"]:
            found.add((version.rpartition("/")[0], one["name"]))
    return sorted(found)


def _allowed(
    cluster: Cluster, account: tuple[str, str], where: str, asked: list[Asked]
) -> set[Asked]:
    """What an account (of a namespace) may do."""
    space, name = account
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"]
    who = {"user": f"system:serviceaccount:{space}:{name}", "groups": groups}
    return _answered(cluster, who, where, asked)


def _answered(cluster: Cluster, who: dict[str, Any], where: str, asked: list[Asked]) -> set[Asked]:
    """Which of the questions about somebody the server says yes to."""
    reviews = [
        {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
         "spec": {**who, "resourceAttributes": {
             "namespace": where, "verb": verb, "group": group, "name": one,
             "resource": resource.partition("/")[0], "subresource": resource.partition("/")[2]}}}
        for verb, group, resource, one in asked
    ]  # fmt: skip
    whole = {"apiVersion": "v1", "kind": "List", "items": reviews}
    said = cluster.kubectl(
        "create", "--validate=false", "-f", "-", "-o", "jsonpath={.status.allowed} ",
        stdin=json.dumps(whole),
    )  # fmt: skip
    answers = said.split()
    assert len(answers) == len(asked), said[:2000]
    return {one for one, answer in zip(asked, answers, strict=True) if answer == "true"}


def test_nobody_but_the_controllers_says_which_devices_a_pod_has(cluster: Cluster) -> None:
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    cluster.kubectl(
        "-n", "default", "create", "rolebinding", "greedy", "--clusterrole=edit", "--user=greedy"
    )
    key, mark = "athanor.dev/devices", "athanor.dev/devices-chosen"

    def pod(name: str, notes: dict[str, str], *, marked: bool = True) -> str:
        meta = {"name": name, "namespace": "default", "annotations": notes,
                "labels": {mark: "true"} if marked else {}}  # fmt: skip
        spec = {"containers": [{"name": "c", "image": "x"}]}
        return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})

    def refused(*words: str, stdin: str = "") -> bool:
        try:
            cluster.kubectl("--as", "greedy", *words, stdin=stdin)
        except AssertionError as error:
            assert "written by Athanor's controllers alone" in str(error)
            return True
        return False

    create = ("create", "-f", "-")
    cluster.until("the policy is known", lambda: refused(*create, stdin=pod("a", {key: "0"})))
    cluster.kubectl("--as", "greedy", *create, stdin=pod("plain", {key: "0"}, marked=False))
    cluster.kubectl("--as", "system:serviceaccount:athanor-system:athanor-controllers", *create,
                    stdin=pod("given", {key: "0"}))  # fmt: skip
    cluster.kubectl("--as", "greedy", "annotate", "pod", "plain", f"{key}=1", "--overwrite")
    assert refused("label", "pod", "plain", f"{mark}=true")  # without it nobody hears the rest
    assert refused("annotate", "pod", "given", f"{key}=1", "--overwrite")
    assert refused("label", "pod", "given", f"{mark}-")
    for name in ("plain", "given"):
        cluster.kubectl("--as", "greedy", "label", "pod", name, "more=y")
    cluster.kubectl("delete", "pod", "plain", "given", "--now")


def test_a_queue_that_contradicts_itself_is_refused_or_says_so(cluster: Cluster) -> None:
    said = cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    queue = ("create", "-f", "-")
    if "without its rules between amounts" not in said:
        refused = cluster.kubectl(*queue, stdin=MUDDLED, fails=True)
        assert "guaranteed must not exceed limit for any resource" in refused
        return
    process = cluster.replica("says-so")
    cluster.kubectl(*queue, stdin=MUDDLED)
    status = ("get", "queue", "muddled", "-o", "jsonpath={.status.conditions}")
    cluster.until("a status", lambda: "InvalidQuota" in cluster.kubectl(*status))
    cluster.kubectl("delete", "queue", "muddled")
    end(process)


def test_the_namespace_takes_its_pods_under_the_restricted_standard(cluster: Cluster) -> None:
    cluster.athanor("install", "--image", "athanor:test", "--wait", "60")
    pods = json.loads(cluster.kubectl("-n", HOME, "get", "pods", "-o", "json"))["items"]
    parts = [pod["metadata"]["name"].rsplit("-", 2)[0] for pod in pods]
    assert sorted(parts) == ["athanor-controllers"] * 2 + ["athanor-gateway"]
    refused = cluster.kubectl("-n", HOME, "run", "bad", "--image=busybox", fails=True)
    assert 'violates PodSecurity "restricted' in refused


def test_removing_keeps_the_data_unless_told_otherwise(cluster: Cluster) -> None:
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    cluster.kubectl("apply", "-f", "-", stdin=GANG.replace("two", "kept"))
    for door in (aggregated.GATEWAY, aggregated.VISIBILITY):  # as of parts that were killed
        left = json.dumps(aggregated.api_service(door, HOME))
        cluster.kubectl("apply", "-f", "-", stdin=left)
    said = cluster.athanor("uninstall", "--yes")
    assert "deployment.apps/athanor-controllers deleted" in said
    assert "gangs.athanor.dev" not in said
    assert "kept" in cluster.kubectl("get", "trainingjobs")
    answered = cluster.kubectl("get", "apiservices", "-o", "name")
    assert "gateway.athanor.dev" not in answered and "visibility.athanor.dev" not in answered
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    assert "kept" in cluster.kubectl("get", "trainingjobs"), "upgrading loses nothing"
    cluster.athanor("uninstall", "--delete-data", "--yes")
    assert "athanor.dev" not in cluster.kubectl("get", "crds")


def test_a_dashboard_and_alert_rules_come_when_they_are_asked_for(cluster: Cluster) -> None:
    board = ("-n", HOME, "get", "configmap", "-l", "grafana_dashboard=1", "-o", "name")
    rules = ("-n", HOME, "get", "prometheusrules", "-o", "name")
    wanted = ("install", "--image", "athanor:test", "--wait", "0", "--dashboard", "--rules")
    said = cluster.athanor(*wanted)
    assert "configmap/athanor-dashboard created" in said
    assert "athanor left out: the Prometheus operator is not installed" in said
    cluster.kubectl("create", "-f", "-", stdin=RULES)
    kind = "crd/prometheusrules.monitoring.coreos.com"
    cluster.kubectl("wait", "--for=condition=Established", kind)
    cluster.kubectl(*rules)  # waits until they can be stored
    cluster.athanor(*wanted)
    assert cluster.kubectl(*rules).strip() == "prometheusrule.monitoring.coreos.com/athanor"
    said = cluster.athanor("uninstall", "--yes")
    assert "prometheusrule.monitoring.coreos.com/athanor deleted" in said
    assert "configmap/athanor-dashboard deleted" in said
    cluster.kubectl("delete", kind)
    cluster.athanor("install", "--wait", "0")
    assert cluster.kubectl(*board) == "configmap/athanor-dashboard\n", "the wish is remembered"
    cluster.athanor("install", "--no-dashboard", "--no-rules", "--wait", "0")
    assert cluster.kubectl(*board) == ""
    assert "dashboard" not in cluster.athanor("install", "--wait", "0")


def test_an_older_version_is_not_put_over_a_newer_one(cluster: Cluster) -> None:
    cluster.athanor("install", "--image", "athanor:test", "--wait", "0")
    newer = {"metadata": {"labels": {"app.kubernetes.io/version": "99.0.0"}}}
    cluster.kubectl(
        "-n", HOME, "patch", "deployment", "athanor-controllers", "-p", json.dumps(newer)
    )
    refused = cluster.athanor("install", "--image", "athanor:test", fails=True)
    assert "version 99.0.0 is installed" in refused
    assert "Traceback" not in refused
    cluster.athanor("install", "--image", "athanor:test", "--downgrade", "--wait", "0")


def test_the_guide(cluster: Cluster) -> None:
    cluster.athanor("uninstall", "--delete-data", "--yes")
    cluster.kubectl("label", "node", "--all", "athanor.dev/pool-")
    started = False
    for command in commands("docs/cluster.md"):
        path = f"{Path(ATHANOR).parent}:{plane.kubectl().parent}:{os.environ['PATH']}"
        words = (
            "env",
            "-u",
            "ATHANOR_DATA",
            f"PATH={path}",
            f"HOME={cluster.folder}",
            "bash",
            "-c",
            f"cd; {command}",
        )
        cluster.run(*words)
        if command.startswith("athanor install --image") and not started:
            started = True
            cluster.replica("guide")
