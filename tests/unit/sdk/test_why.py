"""Explanations, from objects alone."""

from __future__ import annotations

import msgspec
import pytest

from athanor.api.core import Event, Pod
from athanor.api.crons import Cron
from athanor.api.ends import RankFailure
from athanor.api.meta import JSON, ObjectMeta
from athanor.api.scheduling import Gang, GangSpec, GangStatus, PodCounts, Reason
from athanor.api.sweeps import Sweep
from athanor.api.training import TrainingJob, TrainingJobStatus
from athanor.api.workflows import Workflow
from athanor.sdk import why_makers
from athanor.sdk.explanation import Explanation
from athanor.sdk.why import describe_exit, ended_again, explain, first_failure


def job(**status: object) -> TrainingJob:
    return TrainingJob(metadata=ObjectMeta(name="a"), status=TrainingJobStatus(**status))


def failure(rank: int, at: str, code: int | None = 1, reason: str = "Error") -> RankFailure:
    return RankFailure(pod_set="worker", rank=rank, exit_code=code, reason=reason, finished_at=at)


def test_the_first_failure_is_the_one_that_ended_first() -> None:
    failed = job(phase="Failed", failures=[failure(3, "2026-01-01T00:00:09Z"),
                                           failure(1, "2026-01-01T00:00:05Z")])  # fmt: skip
    found = first_failure(failed, None)
    assert found is not None
    assert found.rank == 1


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1, "Error", "exit code 1"),
        (137, "OOMKilled", "killed by SIGKILL (exit code 137), OOMKilled"),
        (139, "Error", "killed by SIGSEGV (exit code 139)"),
        (None, "NodeLost", "NodeLost"),
        (255, "Error", "exit code 255"),
    ],
)
def test_exits_in_words(code: int | None, reason: str, said: str) -> None:
    assert describe_exit(failure(0, "", code, reason)) == said


def test_a_failure_quotes_its_log_and_what_would_help() -> None:
    failed = job(phase="Failed", failures=[failure(0, "2026-01-01T00:00:05Z")])
    said = explain(failed, None, [], [], ["ModuleNotFoundError: No module named 'nope'"])
    assert "worker-0 failed first: exit code 1" in said.headline
    assert said.log
    assert any("--requirements" in hint for hint in said.hints)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("OSError: [Errno 30] Read-only file system: 'x.txt'", "$ATHANOR_OUTPUT_DIR"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "smaller batches"),
        ("RuntimeError: unable to open shared memory object </torch_1>", "--shm"),
        ("OSError: [Errno 28] No space left on device", "athanor gc"),
        ("RuntimeError: No CUDA GPUs are available", "--gpus 1"),
        ("PermissionError: [Errno 13] Permission denied: '/root/x'", "never as root"),
        ("[rank2]: Watchdog caught collective operation timeout", "which rank failed first"),
        ("RuntimeError: [enforce fail] Connection closed by peer", "which rank failed first"),
        ("OSError: [Errno 98] Address already in use", "$ATHANOR_PORT"),
        ("python: can't open file '/w/trian.py'", "submitted from"),
        ("libmpi.so: cannot open shared object file: No such file or directory", "--requirements"),
    ],
)
def test_the_last_lines_give_a_cause_away(line: str, hint: str) -> None:
    failed = job(phase="Failed", failures=[failure(0, "2026-01-01T00:00:05Z")])
    said = explain(failed, None, [], [], ["step 3 loss 0.1", line])
    assert hint in said.hints[0]
    assert explain(failed, None, [], [], ["step 3 loss 0.1"]).hints == said.hints[1:]


@pytest.mark.parametrize(
    ("code", "reason", "hint"),
    [(139, "Error", "PYTHONFAULTHANDLER"), (135, "Error", "--shm"), (137, "Error", "--grace"),
     (137, "OOMKilled", "--memory")],
)  # fmt: skip
def test_a_death_by_signal_has_a_likely_cause(code: int, reason: str, hint: str) -> None:
    said = explain(job(phase="Failed", failures=[failure(0, "", code, reason)]), None, [], [], [])
    assert hint in said.hints[0] and len(said.hints) == 2


def test_what_a_failure_says_is_not_said_again_by_its_events() -> None:
    missing = msgspec.structs.replace(failure(0, "", 128, "StartError"), message="no './x'")
    events = [
        Event(type="Warning", reason="Failed", message=text, metadata=ObjectMeta(name="e"))
        for text in ("Error: no './x'", "worker-0 ended (StartError): no './x'", "disk is slow")
    ]
    said = explain(job(phase="Failed", failures=[missing]), None, [], events, [])
    assert said.facts == ["no './x'", "Failed: disk is slow"]


def test_a_running_job_tells_of_ranks_that_are_tried_again() -> None:
    failed = failure(1, "2026-01-01T00:00:05Z", 127, "StartError")
    said = explain(
        job(phase="Running", failures=[failed], pods=[PodCounts(pod_set="worker", failed=1)]),
        None, [], [], [],
    )  # fmt: skip
    assert said.facts[-1] == "worker-1 failed and is tried again: exit code 127, StartError"
    assert any("the command" in hint for hint in said.hints)


def test_a_waiting_job_gives_the_schedulers_reasons_in_order() -> None:
    reasons = [Reason(code="QueueLimit", message="full"), Reason(code="Behind", message="two")]
    gang = Gang(spec=GangSpec(queue="q"), status=GangStatus(reasons=reasons))
    said = explain(job(phase="Queued"), gang, [], [], [])
    assert said.headline == "it waits in queue q: full (QueueLimit)"
    assert said.facts == ["two (Behind)"]


@pytest.mark.parametrize(
    "phase",
    ["Pending", "Queued", "Starting", "Running", "Restarting", "Suspended", "Succeeded", "Failed"],
)
def test_every_phase_has_an_explanation_without_any_other_object(phase: str) -> None:
    assert explain(job(phase=phase), None, [], [], []).headline


def test_a_starting_job_tells_that_its_pods_are_refused() -> None:
    said = explain(job(phase="Starting", reason="PodsRefused", message="no account"),
                   None, [], [], [])  # fmt: skip
    assert said.facts == ["its pods are refused: no account"]


@pytest.mark.parametrize("phase", ["Starting", "Running"])
def test_what_the_controller_says_of_a_job_is_said(phase: str) -> None:
    lost = "node n2 does not answer and may still run a-worker-0"
    assert explain(job(phase=phase, message=lost), None, [], [], []).facts == [lost]


def test_an_explanation_reads_as_it_is_printed() -> None:
    said = Explanation(name="a", phase="Failed", headline="b", facts=["c"], log=["d"], hints=["e"])
    assert str(said).splitlines() == ["a is Failed: b", "  c", "  last lines:", "    d", "  try: e"]


def test_one_thing_to_do_is_said_once() -> None:
    failed = job(phase="Failed", reason="OOMKilled",
                 failures=[failure(0, "2026-01-01T00:00:05Z", 137, "OOMKilled")])  # fmt: skip
    said = explain(failed, None, [], [], [])
    assert sum("--memory" in hint for hint in said.hints) == 1


def test_a_program_that_ends_whenever_it_is_started_is_told_of() -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    one = {"name": "main", "restartCount": 3, "state": state,
           "lastState": {"terminated": {"exitCode": 2}}}  # fmt: skip
    pod = {"metadata": {"name": "p"}, "spec": {}, "status": {"containerStatuses": [one]}}
    said = ended_again("lab", msgspec.convert(pod, Pod))
    assert said is not None
    assert said.headline == "its program ends with exit code 2 each time it is started"
    assert said.facts == ["p: started 4 times, and soon again"]
    one["state"] = {"running": {}}
    assert ended_again("lab", msgspec.convert(pod, Pod)) is None


TEMPLATE: JSON = {"kind": "TrainingJob", "spec": {}}


def test_a_sweep_tells_of_its_failed_trials_and_whom_to_ask() -> None:
    trials = [{"number": 0, "state": "Failed", "message": "exit code 1"}, {"number": 1}]
    spec = {"parameters": [{"name": "x"}], "objective": {"metric": "loss"}, "template": TEMPLATE}
    status = {"phase": "Running", "done": "1/9", "trials": trials}
    made = {"metadata": {"name": "s"}, "spec": spec, "status": status}
    said = why_makers.sweep(msgspec.convert(made, Sweep))
    assert said.facts == ["1/9 trials done, 1 running", "s-0 failed: exit code 1"]
    assert said.hints == ["athanor why s-0", "athanor sweep trials s"]


def test_a_workflow_tells_which_step_failed_and_how_to_go_on() -> None:
    steps = [{"name": "a", "index": 2, "phase": "Failed", "object": "w-a-2", "message": "bad"}]
    status = {"phase": "Failed", "reason": "StepFailed", "done": "1/1", "steps": steps}
    spec = {"steps": [{"name": "a", "template": TEMPLATE}]}
    made = {"metadata": {"name": "w"}, "spec": spec, "status": status}
    said = why_makers.workflow(msgspec.convert(made, Workflow))
    assert said.facts == ["1/1 steps done, 0 running", "step a[2] failed: bad"]
    assert said.hints[0] == "athanor why w-a-2"
    assert said.hints[-1] == "athanor flow resume w goes on from the failed steps"
    status["reason"] = "InvalidSpec"
    assert why_makers.workflow(msgspec.convert(made, Workflow)).hints[-1] == "athanor flow steps w"


def test_a_cron_tells_when_it_is_due_and_what_is_wrong_with_it() -> None:
    wrong = {"type": "Valid", "status": "False", "reason": "Never", "message": "never due",
             "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    spec = {"schedule": "@hourly", "template": TEMPLATE}
    made = {"metadata": {"name": "c"}, "spec": spec,
            "status": {"phase": "Invalid", "conditions": [wrong]}}  # fmt: skip
    assert why_makers.cron(msgspec.convert(made, Cron)).headline == "never due"
    made["status"] = {"phase": "Suspended", "last": "c-1"}
    said = why_makers.cron(msgspec.convert(made, Cron))
    assert said.facts == ["it last made c-1"]
    assert said.hints == ["athanor cron resume c"]
