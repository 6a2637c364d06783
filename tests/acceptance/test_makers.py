"""Sweeps and workflows with real processes; a cron over a whole month of virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.console import Console
from tests.sim import month

TRAIN = """\
import sys, time
import athanor_progress as progress

lr, width = float(sys.argv[1]), int(sys.argv[2])
for step in range(1, 13):
    # a loss that tells good from bad early, as training does
    loss = abs(lr - 0.01) * 50 + abs(width - 4) / 4 + 1 / step
    progress.report(step=step, total=12, loss=loss)
    time.sleep(0.25)
progress.saved(12)
"""

FLOW = """\
apiVersion: athanor.dev/v1alpha1
kind: Workflow
metadata: {{name: story}}
spec:
  parameters: [{{name: word, value: nothing}}]
  steps:
  - {{name: split, template: {split}}}
  - {{name: work, withParam: "${{steps.split.outputs.parts}}", template: {work}}}
  - {{name: never, when: "parameters.word == 'other'", dependsOn: [split], template: {bye}}}
  - {{name: join, dependsOn: [work], retries: {{limit: 1}}, template: {join}}}
  - {{name: fragile, dependsOn: [join], template: {fragile}}}
  - {{name: report, dependsOn: [fragile], template: {report}}}
  onExit: {{name: bye, template: {bye}}}
"""


def template(code: str, *args: str) -> str:
    asks = {"requests": {"cpu": "50m"}}
    container = {"name": "main", "image": "host", "command": ["python", "-c", code, *args],
                 "resources": asks}  # fmt: skip
    roles = [{"name": "w", "template": {"spec": {"containers": [container]}}}]
    return json.dumps({"spec": {"framework": "generic", "roles": roles}})


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with Console(tmp_path_factory.mktemp("makers")) as up:
        yield up


def test_a_sweep_of_thirty_trials_that_stops_early(console: Console) -> None:
    (console.project / "train.py").write_text(TRAIN)
    console.run(
        "sweep", "create", "find", "--float", "lr=1e-4..1e-1:log", "--int", "width=1..8",
        "--minimize", "loss", "--asha", "2", "--trials", "30", "--parallel", "8", "--",
        "generic", "--cpu", "50m", "--", "python", "train.py", "${parameters.lr}",
        "${parameters.width}",
    )  # fmt: skip

    def over() -> dict[str, object] | None:
        found: dict[str, dict[str, object]] = json.loads(
            console.run("sweep", "get", "find", "-o", "json")
        )
        status = found.get("status", {})
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    status = console.until(over, seconds=400)
    assert status["phase"] == "Succeeded", status
    trials = json.loads(console.run("sweep", "trials", "find", "-o", "json"))["trials"]
    assert [trial["number"] for trial in trials] == list(range(30))
    states = [trial.get("state", "Running") for trial in trials]
    assert set(states) == {"Succeeded", "Pruned"} and states.count("Pruned") >= 10, states
    best = json.loads(console.run("sweep", "best", "find", "-o", "json"))
    assert best["value"] == min(t["value"] for t in trials if t["state"] == "Succeeded")
    full = sum(12 for _ in trials)
    done = sum(trial["step"] for trial in trials)
    assert done < 0.7 * full, "early stop saves steps"
    console.run("sweep", "delete", "find", "--yes")


def test_a_workflow_with_a_failing_step_is_resumed(console: Console) -> None:
    put = "import athanor_progress as p; p.output(parts='[1, 2, 3]')"
    write = (
        "import os, sys; d = os.environ['ATHANOR_OUTPUT_DIR']; os.makedirs(d, exist_ok=True); "
        "open(d + '/number', 'w').write(str(int(sys.argv[1]) * 10))"
    )
    add = (
        "import glob, sys, athanor_progress as p; "
        "found = glob.glob(sys.argv[1] + '/*/number'); "
        "p.output(total=str(sum(int(open(name).read()) for name in found)))"
    )
    fragile = (
        "import os, sys; "
        "sys.exit(0 if os.path.exists(os.environ['ATHANOR_ARTIFACTS'] + '/mended') else 3)"
    )
    say = "import sys; print('said:', *sys.argv[1:])"
    text = FLOW.format(
        split=template(put), work=template(write, "${item.value}"),
        join=template(add, "${artifacts.work}"), fragile=template(fragile),
        report=template(say, "${parameters.word}", "${steps.join.outputs.total}"),
        bye=template(say, "${workflow.phase}"),
    )  # fmt: skip
    (console.project / "flow.yaml").write_text(text)
    console.run("flow", "run", "-f", "flow.yaml", "-p", "word=hello")

    def phase() -> str | None:
        found = json.loads(console.run("flow", "get", "story", "-o", "json")).get("status", {})
        said = str(found.get("phase", "Pending"))
        return said if said in ("Succeeded", "Failed") else None

    assert console.until(phase, seconds=200) == "Failed"
    steps = console.run("flow", "steps", "story")
    assert "fragile" in steps and "Omitted" in steps and "Skipped" in steps
    before = {row["name"]: row for row in rows(console) if row["phase"] == "Succeeded"}
    uid = json.loads(console.run("flow", "get", "story", "-o", "json"))["metadata"]["uid"]
    shared = console.data.checkpoints / "default" / f"story-{uid[:8]}"
    (shared / "mended").write_text("")
    console.kill("controllers")
    console.run("flow", "resume", "story")
    console.until(lambda: phase() if phase() == "Succeeded" else None, seconds=200)
    after = {row["name"]: row for row in rows(console)}
    assert after["fragile"]["attempt"] == 2
    assert all(after[name]["attempt"] == row["attempt"] for name, row in before.items()
               if name != "bye")  # fmt: skip
    assert "said: hello 60" in console.run("logs", "story-report")
    assert "said: Failed" in console.run("logs", "story-bye")
    assert "said: Succeeded" in console.run("logs", "story-bye-r1")


def rows(console: Console) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        console.run("flow", "steps", "story", "-o", "json")
    )["steps"]
    return found


def test_a_cron_over_a_month() -> None:
    made = month.live(days=31)
    assert made == month.expected(days=31)
