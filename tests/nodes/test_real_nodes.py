"""Athanor inside a Kubernetes with real kubelets: what docs/cluster.md promises, with containers.

The tests build on each other: the first one installs.
"""

from __future__ import annotations

import ensurepip
import json
import os
import shutil
import signal
import textwrap
from pathlib import Path
from typing import Any

from athanor.kit.clock import SystemClock
from athanor.kit.quantity import milli
from athanor.kit.times import parse_rfc3339
from tests.nodes.cluster import Cluster
from tests.nodes.images import ATHANOR
from tests.wheels import wheel

HOME = "athanor-system"
LEADS = "app.kubernetes.io/component=athanor-controllers"
KEPT = "/var/lib/kept"
HALF = "1100m"
"""More than half of a node of two cores: no two such ranks share one."""
TALK = """
    import os, socket, time
    rank, job = os.environ["ATHANOR_RANK"], os.environ["ATHANOR_JOB"]
    there = f"{job}-worker-0.{job}", int(os.environ["ATHANOR_PORT"])
    def reached():
        while True:
            try:
                return socket.create_connection(there, 5)
            except OSError:
                time.sleep(0.5)
    if rank == "0":
        with socket.create_server(("", there[1])) as door:
            print("heard", door.accept()[0].recv(99).decode(), "as user", os.getuid())
    else:
        reached().sendall(b"rank 1")
"""
WORK = """
    import os, signal, sys, time
    def told(*_):
        print("told to go")
        time.sleep(8)
        sys.exit(1)
    signal.signal(signal.SIGTERM, told)
    print("works", os.environ["ATHANOR_ATTEMPT"])
    while True:
        time.sleep(0.1)
"""
STEPS = """
    import os, time
    import athanor_progress
    print("works in:", os.path.dirname(os.path.abspath("main.py")))
    athanor_progress.report(3, 4)
    time.sleep(12)  # reports go out every five seconds
"""
GREED = "print(len(b'1' * 10**9))"
DONE = "print('done')"
RANK, SPARE = 400, 100
"""Millicores of a small rank, and what is left beside one."""
PAUSE = 60.0
"""Seconds that a node is left alone which refused a pod."""


def submit(cluster: Cluster, name: str, program: str, *wishes: str, cpu: str = HALF) -> str:
    wanted = ("--image", ATHANOR, "--cpu", cpu, *wishes)
    command = ("python", "-c", textwrap.dedent(program))
    return cluster.athanor("submit", "generic", "--name", name, *wanted, "--", *command)


def pods(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get("pods", "-l", f"athanor.dev/job={job}")["items"]
    return found


def phases(cluster: Cluster, job: str) -> list[str]:
    return [pod["status"]["phase"] for pod in pods(cluster, job)]


def ours(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get("pods", "-n", HOME, "-l", LEADS)["items"]
    return found


def leader(cluster: Cluster) -> str:
    said = "jsonpath={.spec.holderIdentity}"
    return cluster.kubectl(
        "-n", HOME, "get", "lease", "athanor-controllers", "--ignore-not-found", "-o", said
    )


def keep_room(cluster: Cluster) -> None:
    """A volume of the first node for the gateway's claim."""
    node = cluster.nodes["one"]
    node.walls.run("mkdir", "--parents", KEPT)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name]}
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "kept"},
        "spec": {
            "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"],
            "local": {"path": KEPT},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", text=json.dumps(volume))


def free(cluster: Cluster, node: str) -> int:
    """Millicores of a node that nobody has asked for."""
    there = cluster.get("pods", "-A", "--field-selector", f"spec.nodeName={node}")["items"]
    asked = [
        container["resources"].get("requests", {}).get("cpu", "0")
        for pod in there if pod["status"]["phase"] in ("Pending", "Running")
        for container in pod["spec"]["containers"]
    ]  # fmt: skip
    has = cluster.get("node", node)["status"]["allocatable"]["cpu"]
    return milli(has) - sum(map(milli, asked))


def stranger(cluster: Cluster, millis: int) -> float:
    """A pod of somebody else, whose scheduler has not decided yet; when it was made."""
    container = {
        "name": "main", "image": ATHANOR, "command": ["python", "-c", "input()"], "stdin": True,
        "resources": {"requests": {"cpu": f"{millis}m"}},
    }  # fmt: skip
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"},
        "spec": {
            "schedulerName": "another", "containers": [container],
            "terminationGracePeriodSeconds": 0,
        },
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", text=json.dumps(pod))
    return parse_rfc3339(cluster.get("pod", "stranger")["metadata"]["creationTimestamp"])


def bind(cluster: Cluster, pod: str, node: str) -> None:
    """What a scheduler does that has decided."""
    binding = {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }  # fmt: skip
    where = f"/api/v1/namespaces/default/pods/{pod}/binding"
    cluster.kubectl("create", "--raw", where, "-f", "-", text=json.dumps(binding))


def test_the_controllers_run_as_restricted_pods_one_on_each_node(cluster: Cluster) -> None:
    keep_room(cluster)
    said = cluster.athanor("install", "--image", ATHANOR, "--pull-policy", "Never")
    assert "deployment.apps/athanor-controllers created" in said
    ready = ("-n", HOME, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s")
    cluster.kubectl(*ready)
    assert sorted(pod["spec"]["nodeName"] for pod in ours(cluster)) == ["one", "two"]
    cluster.until(lambda: leader(cluster) in [p["metadata"]["name"] for p in ours(cluster)])
    labels = cluster.get("namespace", HOME)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    everyone = cluster.get("pods", "-n", HOME)["items"]
    states = [pod["status"]["containerStatuses"][0] for pod in everyone]
    assert [state["restartCount"] for state in states] == [0] * 3
    assert {state["user"]["linux"]["uid"] for state in states} == {65532}


def test_ranks_on_two_nodes_find_each_other_and_leave_their_logs(cluster: Cluster) -> None:
    submit(cluster, "pair", TALK, "--workers", "2")
    cluster.athanor("wait", "pair", "--for", "succeeded", "--timeout", "2m")
    assert sorted(pod["spec"]["nodeName"] for pod in pods(cluster, "pair")) == ["one", "two"]
    heard = "heard rank 1 as user 65532"
    assert heard in cluster.athanor("logs", "pair")
    cluster.kubectl("delete", "pods", "-l", "athanor.dev/job=pair")
    cluster.until(lambda: heard in cluster.athanor("logs", "pair", fails=None))


def test_code_comes_along_and_progress_is_heard(cluster: Cluster) -> None:
    code = cluster.folder / "code"
    code.mkdir()
    (code / "main.py").write_text(textwrap.dedent(STEPS))
    wishes = ("--image", ATHANOR, "--code", str(code))
    cluster.athanor("submit", "generic", "--name", "brought", *wishes, "--", "python", "main.py")
    said = "jsonpath={.status.progress}"
    told = cluster.until(lambda: cluster.kubectl("get", "trainingjob", "brought", "-o", said))
    assert json.loads(told)["step"] == 3
    cluster.athanor("wait", "brought", "--for", "succeeded", "--timeout", "2m")
    assert "works in: /athanor/code" in cluster.athanor("logs", "brought")


def test_libraries_come_along_as_wheels_to_an_image_that_has_not_even_pip(
    cluster: Cluster,
) -> None:
    folder, wheels = cluster.folder / "forge", cluster.folder / "wheels"
    folder.mkdir()
    (folder / "main.py").write_text("import hammer, os; print(hammer.WORD, os.getuid())")
    (cluster.folder / "needs.txt").write_text("hammer==1.2\n")
    wheel(wheels, "hammer", "1.2", "WORD = 'forged as'")
    wishes = ("--image", ATHANOR, "--code", str(folder), "--wheels", str(wheels))
    wishes += ("--requirements", str(cluster.folder / "needs.txt"), "--retries", "0")
    cluster.athanor("submit", "generic", "--name", "bare", *wishes, "--", "python", "main.py")
    cluster.athanor("wait", "bare", "--for", "finished", "--timeout", "2m", fails=None)
    assert "there is no pip in this image" in cluster.athanor("why", "bare")
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    shutil.copy(pip, wheels)
    cluster.athanor("submit", "generic", "--name", "forged", *wishes, "--", "python", "main.py")
    cluster.athanor("wait", "forged", "--for", "succeeded", "--timeout", "2m")
    assert "forged as 65532" in cluster.athanor("logs", "forged")


def test_who_outgrows_its_memory_is_not_tried_again(cluster: Cluster) -> None:
    wishes = ("--restart", "ExitCode", "--retry-on", "137", "--dry-run", "-o", "json")
    wanted = json.loads(submit(cluster, "greedy", GREED, *wishes))
    (container,) = wanted["spec"]["roles"][0]["template"]["spec"]["containers"]
    container["resources"]["limits"] = {"memory": "64Mi"}
    cluster.kubectl("create", "-f", "-", text=json.dumps(wanted))
    cluster.athanor("wait", "greedy", "--for", "finished", "--timeout", "2m", fails=None)
    assert cluster.get("trainingjob", "greedy")["status"]["phase"] == "Failed"
    assert "OOMKilled" in cluster.athanor("why", "greedy")
    (pod,) = pods(cluster, "greedy")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["reason"] == "OOMKilled"
    assert "athanor.dev/rank-attempt" not in pod["metadata"]["labels"]


def test_the_leading_container_is_killed_and_work_goes_on(cluster: Cluster) -> None:
    (before,) = [pod for pod in ours(cluster) if pod["metadata"]["name"] == leader(cluster)]
    state = before["status"]["containerStatuses"][0]
    container = state["containerID"].removeprefix("containerd://")
    cluster.nodes[before["spec"]["nodeName"]].ctr("tasks", "kill", "-s", "SIGKILL", container)
    submit(cluster, "after", DONE)
    cluster.athanor("wait", "after", "--for", "succeeded", "--timeout", "2m")

    def started_again() -> bool:
        now = [pod["status"]["containerStatuses"][0] for pod in ours(cluster)]
        counts = sorted(each["restartCount"] for each in now)
        return counts == [0, 1] and all(each["ready"] for each in now)

    cluster.until(started_again)


def test_who_is_preempted_is_evicted_whole_and_comes_back(cluster: Cluster) -> None:
    submit(cluster, "low", WORK, "--workers", "2", "--priority", "low")
    cluster.athanor("wait", "low", "--for", "running", "--timeout", "1m")
    submit(cluster, "high", DONE, "--workers", "2", "--priority", "high")

    def evicted() -> bool:
        there = cluster.get("pods", "-l", "athanor.dev/job in (low, high)")["items"]
        active = [pod for pod in there if pod["status"]["phase"] in ("Pending", "Running")]
        jobs = {pod["metadata"]["labels"]["athanor.dev/job"] for pod in active}
        assert jobs != {"low", "high"}, "nobody starts where somebody still is"
        found = [
            [c["reason"] for c in pod["status"]["conditions"] if c["type"] == "DisruptionTarget"]
            for pod in active
        ]
        return found == [["EvictionByEvictionAPI"]] * 2

    cluster.until(evicted)
    cluster.until(lambda: "told to go" in cluster.athanor("logs", "low", fails=None))
    cluster.athanor("wait", "high", "--for", "succeeded", "--timeout", "1m")
    cluster.until(lambda: phases(cluster, "low") == ["Running"] * 2)
    cluster.until(lambda: "works 1" in cluster.athanor("logs", "low", fails=None))
    cluster.athanor("delete", "low", "--yes")
    cluster.until(lambda: not pods(cluster, "low"))


def test_a_kubelet_that_is_back_soon_was_not_missed(cluster: Cluster) -> None:
    submit(cluster, "steady", WORK, "--workers", "2")
    cluster.athanor("wait", "steady", "--for", "running", "--timeout", "1m")
    before = {pod["metadata"]["uid"] for pod in pods(cluster, "steady")}
    node = cluster.nodes["two"]
    os.kill(node.kubelet, signal.SIGKILL)
    node.start_kubelet()
    cluster.until(lambda: "works" in cluster.athanor("logs", "steady", fails=None))
    assert {pod["metadata"]["uid"] for pod in pods(cluster, "steady")} == before
    cluster.athanor("delete", "steady", "--yes")
    cluster.until(lambda: not pods(cluster, "steady"))


def test_a_gang_with_a_refused_rank_comes_back_whole_and_leaves_the_node_alone(
    cluster: Cluster,
) -> None:
    cluster.kubectl("cordon", "two")
    # what happened to the node before may have it left alone for a while
    submit(cluster, "trusted", DONE, cpu=f"{SPARE}m")
    cluster.athanor("wait", "trusted", "--for", "succeeded", "--timeout", "3m")
    made = stranger(cluster, free(cluster, "one") - RANK - SPARE)
    # a kubelet that starts lets older pods in first, to the second
    cluster.until(lambda: SystemClock().now() >= made + 1)
    node = cluster.nodes["one"]
    os.kill(node.kubelet, signal.SIGKILL)  # it shall see what two schedulers did at once
    wishes = ("--workers", "2", "--retries", "0")
    submit(cluster, "crowded", WORK, *wishes, cpu=f"{RANK}m")
    first = cluster.until(lambda: (found := pods(cluster, "crowded"))[1:] and found)
    assert {pod["spec"]["nodeName"] for pod in first} == {"one"}
    bind(cluster, "stranger", "one")
    node.start_kubelet()
    (refusal,) = cluster.until(
        lambda: cluster.get("events", "--field-selector", "reason=OutOfcpu")["items"]
    )
    assert refusal["involvedObject"]["uid"] in [pod["metadata"]["uid"] for pod in first]
    cluster.until(lambda: cluster.get("pod", "stranger")["status"]["phase"] == "Running")
    cluster.kubectl("delete", "pod", "stranger")
    cluster.until(lambda: phases(cluster, "crowded") == ["Running"] * 2)
    now = [pod["metadata"] for pod in pods(cluster, "crowded")]
    assert {each["uid"] for each in now}.isdisjoint(pod["metadata"]["uid"] for pod in first)
    again = parse_rfc3339(min(each["creationTimestamp"] for each in now))
    assert again >= parse_rfc3339(refusal["lastTimestamp"]) + PAUSE
    cluster.athanor("delete", "crowded", "--yes")
    cluster.until(lambda: not pods(cluster, "crowded"))
    cluster.kubectl("uncordon", "two")


def test_no_rank_starts_anew_before_its_silent_node_has_confirmed_its_end(
    cluster: Cluster,
) -> None:
    submit(cluster, "moved", WORK)
    cluster.athanor("wait", "moved", "--for", "running", "--timeout", "1m")
    (first,) = pods(cluster, "moved")
    node = cluster.nodes[first["spec"]["nodeName"]]
    os.kill(node.kubelet, signal.SIGKILL)
    going = cluster.until(
        lambda: [p for p in pods(cluster, "moved") if "deletionTimestamp" in p["metadata"]]
    )
    assert [pod["metadata"]["uid"] for pod in going] == [first["metadata"]["uid"]]
    node.start_kubelet()
    cluster.until(
        lambda: [
            pod for pod in pods(cluster, "moved")
            if pod["metadata"]["uid"] != first["metadata"]["uid"]
            and pod["status"]["phase"] == "Running"
        ]
    )  # fmt: skip
    assert len(pods(cluster, "moved")) == 1
    cluster.athanor("delete", "moved", "--yes")


def test_what_is_removed_leaves_no_pod(cluster: Cluster) -> None:
    cluster.athanor("uninstall", "--delete-data", "--yes")
    cluster.until(lambda: cluster.get("pods", "-A")["items"] == [])
