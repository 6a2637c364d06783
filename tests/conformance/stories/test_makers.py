"""Kinds that make jobs: crons, sweeps, workflows."""

from __future__ import annotations

import json

from tests.conformance.stories.teller import Teller

TRAIN = """\
import sys, time
import athanor_progress as progress

lr = float(sys.argv[1])
for step in range(1, 4):
    progress.report(step=step, total=3, loss=(lr - 2) ** 2 + 1 / step)
    time.sleep(0.1)
"""
SMALL = ("generic", "--cpu", "50m", "--image", "host")


def step(code: str, *args: str) -> dict[str, object]:
    container = {"name": "main", "image": "host", "command": ["python", "-c", code, *args],
                 "resources": {"requests": {"cpu": "50m"}}}  # fmt: skip
    roles = [{"name": "w", "template": {"spec": {"containers": [container]}}}]
    return {"spec": {"framework": "generic", "roles": roles, "runPolicy": {"backoffLimit": 0}}}


def test_a_cron_makes_jobs_on_time(story: Teller) -> None:
    story.athanor("cron", "create", "often", "* * * * *", "--keep", "1", "--", *SMALL, "--",
                  "sh", "-c", "echo on time")  # fmt: skip
    made = story.until(lambda: story.get("trainingjobs", "-l", "athanor.dev/cron=often")["items"])
    name = made[0]["metadata"]["name"]
    story.athanor("wait", name, "--timeout", "3m")
    assert story.athanor("logs", name) == "[worker-0] on time\n"
    story.athanor("cron", "suspend", "often")
    assert story.get("cron", "often")["spec"]["suspend"] is True
    story.athanor("cron", "delete", "often", "--yes")


def test_a_sweep_finds_the_best(story: Teller) -> None:
    (story.folder / "train.py").write_text(TRAIN)
    story.athanor(
        "sweep", "create", "find", "--choice", "lr=1,2,4", "--minimize", "loss", "--algorithm",
        "Grid", "--parallel", "2", "--", *SMALL, "--", "python", f"{story.folder}/train.py",
        "${parameters.lr}",
    )  # fmt: skip
    story.reaches("sweep", "find", "Succeeded")
    best = json.loads(story.athanor("sweep", "best", "find", "-o", "json"))
    assert str(best["parameters"]["lr"]) == "2", best
    trials = json.loads(story.athanor("sweep", "trials", "find", "-o", "json"))["trials"]
    assert [trial["state"] for trial in trials] == ["Succeeded"] * 3
    story.athanor("sweep", "delete", "find", "--yes")


def test_a_workflow_resumes_from_the_failed_step(story: Teller) -> None:
    gate = story.folder / "gate"
    put = "import athanor_progress as p; p.output(parts='[1, 2]')"
    fragile = f"import os, sys; sys.exit(0 if os.path.exists({str(gate)!r}) else 3)"
    say = "import sys; print('said:', *sys.argv[1:])"
    mount = {"volumes": [{"name": "here", "hostPath": {"path": str(story.folder)}}]}
    weak = step(fragile)
    inner = weak["spec"]["roles"][0]["template"]["spec"]  # type: ignore[index]
    inner.update(mount)
    inner["containers"][0]["volumeMounts"] = [{"name": "here", "mountPath": str(story.folder)}]
    story.apply({
        "apiVersion": "athanor.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "flow"},
        "spec": {
            "parameters": [{"name": "word", "value": "hello"}],
            "steps": [
                {"name": "split", "template": step(put)},
                {"name": "work", "withParam": "${steps.split.outputs.parts}",
                 "template": step(say, "${item.value}")},
                {"name": "never", "when": "parameters.word == 'other'", "dependsOn": ["split"],
                 "template": step(say, "never")},
                {"name": "fragile", "dependsOn": ["work"], "template": weak},
                {"name": "report", "dependsOn": ["fragile"],
                 "template": step(say, "${parameters.word}")},
            ],
            "onExit": {"name": "bye", "template": step(say, "${workflow.phase}")},
        },
    })  # fmt: skip
    story.until(lambda: story.phase("workflow", "flow") in ("Failed", "Succeeded"))
    assert story.phase("workflow", "flow") == "Failed"
    rows = {row["name"]: row for row in steps(story)}
    assert rows["never"]["phase"] == "Skipped" and rows["report"]["phase"] == "Omitted"
    gate.write_text("")
    story.athanor("flow", "resume", "flow")
    story.reaches("workflow", "flow", "Succeeded")
    again = {row["name"]: row for row in steps(story)}
    assert again["fragile"]["attempt"] == 2
    assert again["split"]["attempt"] == rows["split"]["attempt"], "what was done stays done"
    assert "said: hello" in story.athanor("logs", "flow-report")
    assert "said: Failed" in story.athanor("logs", "flow-bye")
    story.athanor("flow", "delete", "flow", "--yes")


def steps(story: Teller) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        story.athanor("flow", "steps", "flow", "-o", "json")
    )["steps"]
    return found
