"""A pod's life as the plan sees it: each rule of the kubelet as one small world."""

from __future__ import annotations

from typing import Any

import pytest

from athanor.api.meta import JSON
from athanor.kit.times import rfc3339
from athanor.local.agent.plan.observed import (
    Decision,
    Finish,
    Health,
    Hold,
    Observed,
    Remove,
    Run,
    Start,
    Stop,
)
from athanor.local.agent.plan.pod import back_off, plan

NOW = 1_700_000_000.0


def pod(policy: str = "Always", *names: str, **spec: Any) -> JSON:
    return {
        "metadata": {"name": "p", "namespace": "d", "uid": "u", "generation": 1},
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": name, "image": "host"} for name in names or ("main",)],
            **spec,
        },
    }


def ran(name: str = "main", attempt: int = 0, code: int | None = None, **more: Any) -> Run:
    """A run that began 5 s ago, and with a code ended 1 s ago."""
    end = None if code is None else NOW - 1
    more = {"started_at": NOW - 5, "finished_at": end, "exit_code": code or 0, **more}
    return Run(name=name, attempt=attempt, **more)


def decide(which: JSON, *runs: Run, **more: Any) -> Decision:
    return plan(Observed(pod=which, runs=runs, **more), NOW)


def conditions(status: JSON) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in status["conditions"]}


def test_a_new_pod_starts_its_containers() -> None:
    found = decide(pod("Always", "a", "b"))
    assert found.actions == (Start("a", 0, 0), Start("b", 0, 0))
    assert found.status["phase"] == "Pending"
    assert found.status["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "ContainerCreating"}
    }


def test_a_running_pod_is_ready() -> None:
    found = decide(pod(), ran(), sandboxed=True)
    assert found.actions == () and found.status["phase"] == "Running"
    assert set(conditions(found.status).values()) == {("True", "")}


def test_readiness_waits_for_the_probe() -> None:
    found = decide(pod(), ran(), health={"main": Health(ready=False)})
    assert conditions(found.status)["Ready"] == ("False", "ContainersNotReady")
    assert found.status["phase"] == "Running"


@pytest.mark.parametrize(
    ("policy", "code", "phase", "again"),
    [
        ("Never", 0, "Succeeded", False), ("Never", 3, "Failed", False),
        ("OnFailure", 0, "Succeeded", False), ("OnFailure", 3, "Running", True),
        ("Always", 0, "Running", True), ("Always", 3, "Running", True),
    ],
)  # fmt: skip
def test_the_restart_policy(policy: str, code: int, phase: str, again: bool) -> None:
    found = decide(pod(policy), ran(code=code))
    assert found.status["phase"] == phase
    assert (Start("main", 1, 1) in found.actions) == again
    assert (Finish() in found.actions) != again


def test_back_off_doubles_up_to_five_minutes() -> None:
    assert [back_off(n) for n in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_crashing_container_waits_in_back_off() -> None:
    found = decide(pod(), ran(attempt=2, code=1), levels={"main": 2})
    said = found.status["containerStatuses"][0]
    assert found.actions == () and found.wake == NOW - 1 + 20
    assert said["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert said["state"]["waiting"]["message"].startswith("back-off 20s restarting failed")
    assert said["lastState"]["terminated"]["exitCode"] == 1 and said["restartCount"] == 2


def test_a_long_run_forgets_the_back_off() -> None:
    found = decide(pod(), ran(code=1, attempt=5, started_at=NOW - 700), levels={"main": 5})
    assert found.actions == (Start("main", 6, 1),)


def test_init_containers_go_one_by_one() -> None:
    which = pod("Never", initContainers=[{"name": "i"}, {"name": "j"}])
    assert decide(which).actions == (Start("i", 0, 0),)
    assert decide(which, ran("i")).actions == ()
    assert decide(which, ran("i", code=0)).actions == (Start("j", 0, 0),)
    both = decide(which, ran("i", code=0), ran("j", code=0))
    assert both.actions == (Start("main", 0, 0),)
    waiting = decide(which, ran("i"))
    assert conditions(waiting.status)["Initialized"] == ("False", "ContainersNotInitialized")
    assert waiting.status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_a_failed_init_container_fails_a_pod_that_never_restarts() -> None:
    which = pod("Never", initContainers=[{"name": "i"}])
    found = decide(which, ran("i", code=1))
    assert found.status["phase"] == "Failed" and found.actions == (Finish(),)
    again = decide(pod("OnFailure", initContainers=[{"name": "i"}]), ran("i", code=1))
    assert again.actions == (Start("i", 1, 1),) and again.status["phase"] == "Pending"


def test_sidecars_start_first_and_end_last() -> None:
    side = [{"name": "s", "restartPolicy": "Always"}, {"name": "t", "restartPolicy": "Always"}]
    which = pod("Never", initContainers=side)
    assert decide(which, ran("s"), health={"s": Health(started=False)}).actions == ()
    assert decide(which, ran("s")).actions == (Start("t", 0, 0),)
    over = decide(which, ran("s"), ran("t"), ran(code=0))
    assert [(a.name, a.reason) for a in over.actions if isinstance(a, Stop)] == [("t", "Completed")]
    assert over.status["phase"] == "Running"
    last = decide(which, ran("s", code=137), ran("t", code=0), ran(code=0))
    assert last.actions == (Finish(),) and last.status["phase"] == "Succeeded"


def test_a_dead_sidecar_comes_back_while_the_pod_runs() -> None:
    which = pod("Never", initContainers=[{"name": "s", "restartPolicy": "Always"}])
    assert decide(which, ran("s", code=1), ran()).actions == (Start("s", 1, 1),)


def test_liveness_stops_with_the_probes_own_grace() -> None:
    which = pod()
    which["spec"]["containers"][0]["livenessProbe"] = {"terminationGracePeriodSeconds": 3}
    stop = decide(which, ran(), health={"main": Health(alive=False)}).actions[0]
    assert isinstance(stop, Stop) and (stop.grace, stop.reason) == (3.0, "Unhealthy")


def test_deletion_stops_main_containers_then_sidecars_then_removes() -> None:
    which = pod("Always", initContainers=[{"name": "s", "restartPolicy": "Always"}])
    which["metadata"]["deletionTimestamp"] = rfc3339(NOW + 6)  # asked for 0.4 s ago, and cut
    which["metadata"]["deletionGracePeriodSeconds"] = 7
    first = decide(which, ran("s"), ran()).actions
    assert [a.name for a in first if isinstance(a, Stop)] == ["main"]
    assert isinstance(first[0], Stop) and first[0].grace == 7.0
    later = plan(Observed(pod=which, runs=(ran("s"), ran())), NOW + 4).actions
    assert isinstance(later[0], Stop) and later[0].grace == 3.0
    then = decide(which, ran("s"), ran(code=143)).actions
    assert [a.name for a in then if isinstance(a, Stop)] == ["s"]
    assert decide(which, ran("s", code=0), ran(code=143)).actions == (Finish(), Remove())


def test_the_deadline_of_a_pod() -> None:
    which = pod("Never", activeDeadlineSeconds=60)
    which["status"] = {"startTime": rfc3339(NOW - 60), "phase": "Running"}
    going = decide(which, ran())
    assert isinstance(going.actions[0], Stop) and going.status["phase"] == "Running"
    over = decide(which, ran(code=143))
    assert (over.status["phase"], over.status["reason"]) == ("Failed", "DeadlineExceeded")
    early = pod("Never", activeDeadlineSeconds=60)
    early["status"] = {"startTime": rfc3339(NOW - 10)}
    assert decide(early, ran()).wake == NOW + 50


def test_what_holds_a_container_up_is_said() -> None:
    found = decide(pod(), holds={"main": Hold("ErrImageNeverPull", "no such image")})
    assert found.actions == () and found.wake is not None
    said = found.status["containerStatuses"][0]["state"]["waiting"]
    assert said == {"reason": "ErrImageNeverPull", "message": "no such image"}


def test_a_refused_pod_fails_at_once() -> None:
    found = decide(pod(), refused=Hold("OutOfcpu", "too much"))
    assert found.status["phase"] == "Failed" and found.status["reason"] == "OutOfcpu"
    assert found.status["containerStatuses"] is None and found.actions == (Finish(),)


def test_an_evicted_pod_ends_at_once_and_says_why() -> None:
    why = Hold("Evicted", 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". ')
    going = decide(pod(), ran(), refused=why)
    assert [(s.name, s.grace) for s in going.actions if isinstance(s, Stop)] == [("main", 1.0)]
    assert going.status["phase"] != "Failed"
    gone = decide(pod(), ran(code=137), refused=why)
    assert gone.status["phase"] == "Failed" and gone.actions == (Finish(),)
    assert (gone.status["reason"], gone.status["message"]) == ("Evicted", why.message)


def test_a_pod_that_is_over_keeps_what_was_said() -> None:
    which = pod("Never")
    which["status"] = {"phase": "Failed", "reason": "OutOfcpu"}
    found = decide(which)
    assert found.status == which["status"] and found.actions == (Finish(),)


def test_transition_times_move_only_with_the_status() -> None:
    which = pod()
    which["status"] = decide(which, ran(), sandboxed=True).status
    later = plan(Observed(pod=which, runs=(ran(),), sandboxed=True), NOW + 100)
    assert later.status["conditions"] == which["status"]["conditions"]
    assert later.status["startTime"] == which["status"]["startTime"]


def test_readiness_gates() -> None:
    which = pod(readinessGates=[{"conditionType": "x/y"}])
    assert conditions(decide(which, ran()).status)["Ready"] == ("False", "ReadinessGatesNotReady")
    which["status"] = {"conditions": [{"type": "x/y", "status": "True"}]}
    found = conditions(decide(which, ran()).status)
    assert found["Ready"] == ("True", "") and found["x/y"] == ("True", "")


def test_a_pod_in_its_nodes_network_has_the_nodes_address() -> None:
    own = decide(pod(), ran(), host_ip="192.0.2.2", address="10.88.0.2").status
    assert (own["hostIP"], own["podIP"]) == ("192.0.2.2", "10.88.0.2")
    shared = decide(pod(hostNetwork=True), ran(), host_ip="192.0.2.2").status
    assert shared["podIPs"] == [{"ip": "192.0.2.2"}]
    assert "podIP" not in decide(pod(), ran(), host_ip="192.0.2.2").status
