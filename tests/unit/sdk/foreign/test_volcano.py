"""Volcano's jobs become ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.sdk.foreign.manifests import (
    POD,
    VOLCANO,
    VOLCANO_MPI,
    VOLCANO_TORCH,
    command,
    container,
    read,
    variables,
)


def test_a_volcano_job_is_generic_and_knows_its_hosts() -> None:
    made = read(VOLCANO)
    spec = made.manifest["spec"]
    lead, worker = spec["roles"]
    assert (spec["framework"], "service" in spec) == ("generic", False)
    assert [one["restartPolicy"] for one in (lead, worker)] == ["Never", "ExitCode"]
    assert spec["runPolicy"] == {
        "backoffLimit": 5, "ttlSecondsAfterFinished": 9, "retryableExitCodes": [3],
    }  # fmt: skip
    assert spec["successRules"] == [{"ranks": {"lead": []}}]
    assert spec["scheduling"] == {
        "queue": "q", "priorityClassName": "high", "estimatedRuntimeSeconds": 5400,
    }  # fmt: skip
    told = variables(worker)
    assert told["VC_TASK_INDEX"] == "$(ATHANOR_RANK)"
    assert told["VC_WORK_ER_NUM"] == "2"
    assert told["VC_WORK_ER_HOSTS"].split(",")[1] == "$(ATHANOR_JOB)-work-er-1.$(ATHANOR_JOB)"
    assert container(lead)["volumeMounts"] == [{"name": "claim-0", "mountPath": "/in"}]
    assert lead["template"]["spec"]["volumes"] == [
        {"name": "claim-0", "persistentVolumeClaim": {"claimName": "data"}}
    ]
    assert made.lost == [
        "spec.minSuccess: 1",
        "spec.volumes[1].mountPath: /out",
        "spec.volumes[1].volumeClaim.storageClassName: s",
    ]
    assert [note.split(": ")[0] for note in made.notes] == [
        "spec.policies[0]",
        "spec.tasks[1].policies[0]",
        "spec.tasks[1].template.spec.restartPolicy",
        "spec.schedulerName",
    ]


def test_a_volcano_job_whose_pods_have_no_names_has_no_service() -> None:
    made = read(VOLCANO.replace("svc: [], ", "")).manifest["spec"]
    assert made["service"] is False
    assert "VC_LEAD_HOSTS" not in variables(made["roles"][0])


def test_a_volcano_job_of_mpi_has_a_launcher() -> None:
    made = read(VOLCANO_MPI)
    spec = made.manifest["spec"]
    launcher, worker = spec["roles"]
    assert (spec["framework"], launcher["name"], worker["name"]) == ("mpi", "launcher", "worker")
    assert variables(launcher)["MPI_HOST"].startswith("$(ATHANOR_JOB)-worker-0.")
    assert "MPI_HOST" not in variables(worker)
    assert command(worker) == []
    assert any(note.startswith("spec.minAvailable: ") for note in made.notes)
    assert not made.lost


def test_a_volcano_task_that_reads_hosts_from_files_finds_them(tmp_path: Path) -> None:
    text = VOLCANO_MPI.replace("[/usr/sbin/sshd, -D]", "[cat, /etc/volcano/w.host]")
    made = read(text)
    launcher, worker = made.manifest["spec"]["roles"]
    assert "initContainers" not in launcher["template"]["spec"], "it reads none"
    pod = worker["template"]["spec"]
    (first,) = pod["initContainers"]
    assert first["image"] == "i"
    assert pod["volumes"] == [{"name": "volcano-hosts", "emptyDir": {}}]
    mount = {"name": "volcano-hosts", "mountPath": "/etc/volcano"}
    assert container(worker)["volumeMounts"] == first["volumeMounts"] == [mount]
    told = {one["name"]: one["value"].replace("$(ATHANOR_JOB)", "a") for one in first["env"]}
    script = first["command"][2].replace("/etc/volcano", str(tmp_path))
    subprocess.run([*first["command"][:2], script], env=told, check=True)
    assert (tmp_path / "boss.host").read_text() == "a-launcher-0.a\n"
    assert (tmp_path / "w.host").read_text() == "a-worker-0.a\na-worker-1.a\n"
    assert any("written by a first container" in note for note in made.notes)
    without = read(text.replace("svc: [], ", ""))
    assert any("plugin svc is missing" in note for note in without.notes)
    assert "initContainers" not in str(without.manifest)


def test_a_volcano_job_of_pytorch_has_its_master_first() -> None:
    spec = read(VOLCANO_TORCH).manifest["spec"]
    assert [one["name"] for one in spec["roles"]] == ["master", "worker"]
    assert [one["restartPolicy"] for one in spec["roles"]] == ["OnFailure", "OnFailure"]
    assert "successRules" not in spec


@pytest.mark.parametrize(
    ("policy", "restarts", "told"),
    [
        ("{event: PodFailed, action: RestartPod}", "OnFailure", False),
        ("{event: PodFailed, action: RestartJob}", "OnFailure", True),
        ("{event: '*', action: TerminateJob}", "Never", True),
        ("{event: PodFailed, action: CompleteJob}", "OnFailure", True),
        ("{event: Unknown, action: RestartJob}", "OnFailure", True),
        ("{exitCode: 3, action: AbortJob}", "OnFailure", True),
        ("{events: [PodFailed, PodEvicted], action: RestartPod}", "OnFailure", True),
    ],
)
def test_a_policy_of_volcano_holds_or_is_told(policy: str, restarts: str, told: bool) -> None:
    made = read(f"""
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
spec: {{policies: [{policy}], tasks: [{{replicas: 2, template: {POD.replace("X", "OnFailure")}}}]}}
""")
    (role,) = made.manifest["spec"]["roles"]
    assert (role["name"], role["replicas"], role["restartPolicy"]) == ("default0", 2, restarts)
    assert any(note.startswith("spec.policies[0]: ") for note in made.notes) == told
