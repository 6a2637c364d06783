"""The life of jobs, with real processes."""

from __future__ import annotations

import json

from tests.conformance.stories.teller import Teller
from tests.wheels import wheel

SMALL = ("--cpu", "100m", "--image", "host")
TRAIN = """\
import os, signal, sys, time
import athanor_progress as progress

folder = os.environ["ATHANOR_CHECKPOINT_DIR"]
rank = os.environ["ATHANOR_RANK"]
saved = os.path.join(folder, "step-" + rank)
step = int(open(saved).read()) if os.path.exists(saved) else 0
begun = step
print("begins at", step, flush=True)

def save(*_):
    with open(saved + ".new", "w") as file:
        file.write(str(step))
    os.replace(saved + ".new", saved)
    progress.saved(step)

def leave(*_):
    save()
    sys.exit(143)

signal.signal(signal.SIGTERM, leave)
total = int(sys.argv[1])
while step < total:
    step += 1
    time.sleep(0.2)
    progress.report(step, total, loss=1 / step)
    if step % 5 == 0 or progress.checkpoint_requested():
        save()
    if step == 10 and rank == sys.argv[2] and begun == 0:
        os._exit(9)
print("done at", step, flush=True)
"""


def job(story: Teller, name: str, *words: str, command: str, framework: str = "generic") -> str:
    """Submit a shell command for the machine."""
    return story.athanor(
        "submit", framework, "--name", name, *SMALL, *words, "--", "sh", "-c", command
    )


def training(
    story: Teller, name: str, *words: str, steps: int = 1000, workers: int = 2, dies: str = ""
) -> None:
    """Submit a training that saves what it has; rank `dies` ends once, after ten steps."""
    (story.folder / "train.py").write_text(TRAIN)
    story.athanor(
        "submit", "generic", "--name", name, *SMALL, "--workers", str(workers),
        "--checkpoint-grace", "20s", *words, "--", "python", "train.py", str(steps), dies,
    )  # fmt: skip


def progressed(story: Teller, name: str, step: int) -> None:
    """Wait until the job says that it is so far."""
    story.until(lambda: _step(story, name) >= step)


def _step(story: Teller, name: str) -> int:
    return int((story.status("trainingjob", name).get("progress") or {}).get("step") or 0)


def test_submit_run_logs_why_delete(story: Teller) -> None:
    job(story, "hello", "--workers", "2", command="echo hello from $ATHANOR_RANK")
    assert "hello is Succeeded" in story.athanor("wait", "hello", "--timeout", "3m")
    said = sorted(story.athanor("logs", "hello").splitlines())
    assert said == ["[worker-0] hello from 0", "[worker-1] hello from 1"]
    assert "Succeeded" in story.athanor("list")
    assert "it succeeded" in story.why("hello")
    assert story.kubectl("get", "gang", "hello", "-o", "name") == "gang.athanor.dev/hello\n"
    for kind in ("gang", "trainingjob"):
        assert {"Succeeded", "2/2"} <= {*story.kubectl("get", kind, "hello").split()}, "both done"
    story.athanor("delete", "hello", "--yes")
    story.athanor("wait", "hello", "--for", "deleted", "--timeout", "3m")


def test_what_nobody_has_looked_at_is_pending(story: Teller) -> None:
    pod = {"containers": [{"name": "m", "image": "host"}]}
    new = {
        "apiVersion": "athanor.dev/v1alpha1", "kind": "Gang",
        "metadata": {"name": "new", "namespace": story.namespace},
        "spec": {"suspend": True, "podSets": [{"name": "main", "template": {"spec": pod}}]},
    }  # fmt: skip
    made = story.kubectl("create", "-f", "-", "-o", "json", text=json.dumps(new))
    assert json.loads(made)["status"] == {"phase": "Pending"}
    story.reaches("gang", "new", "Suspended")


def test_a_project_folder_and_its_environment_just_work(story: Teller) -> None:
    (story.folder / "helper.py").write_text("WORD = 'of the project'\n")
    (story.folder / "train.py").write_text(
        "import os, helper, msgspec\n"
        "open(os.environ['ATHANOR_OUTPUT_DIR'] + '/model', 'w').write(helper.WORD)\n"
        "print(helper.WORD, os.environ['ATHANOR_RANK'])\n"
    )
    said = story.athanor(
        "submit", "generic", "--name", "own", "--cpu", "100m", "--venv", story.venv, "--",
        "python", "train.py",
    )  # fmt: skip
    assert f"in       {story.folder}" in said and f"with     {story.venv}" in said
    story.athanor("wait", "own", "--timeout", "3m")
    assert story.athanor("logs", "own") == "[worker-0] of the project 0\n"
    asks = story.athanor("delete", "own", fails=True)
    if story.place.name == "laptop":
        assert f"outputs  {story.folder}/outputs/own (" in said and "claim" not in asks
        assert (story.folder / "outputs" / "own" / "model").read_text() == "of the project"
        return
    assert "outputs  claim own-checkpoints, folder outputs; in the pods" in said
    assert "outputs and checkpoints in own-checkpoints (--keep-data leaves them)" in asks
    kept = story.athanor("delete", "own", "--keep-data", "--yes")
    assert "trainingjob own deleted; claim own-checkpoints stays" in kept
    story.athanor("wait", "own", "--for", "deleted", "--timeout", "3m")
    claim = story.get("pvc", "own-checkpoints")
    assert "ownerReferences" not in claim["metadata"]
    folder = story.place.shared / "volumes" / claim["metadata"]["uid"]
    assert (folder / "outputs" / "model").read_text() == "of the project"


def test_what_dry_run_prints_is_what_kubectl_applies(story: Teller) -> None:
    words = ("submit", "generic", "--name", "kept", *SMALL, "--workers", "2")
    made = story.athanor(*words, "--dry-run", "-o", "yaml", "--", "sh", "-c", "echo kept")
    assert "trainingjob.athanor.dev/kept created" in story.kubectl("apply", "-f", "-", text=made)
    story.athanor("wait", "kept", "--timeout", "3m")
    assert "kept is Succeeded" in story.why("kept")
    story.kubectl("apply", "-f", "-", text=made)
    assert story.get("trainingjob", "kept")["metadata"]["generation"] == 1, "nothing has changed"


def test_wrong_jobs_are_refused_by_the_name_of_the_field(story: Teller) -> None:
    def refused(**spec: object) -> str:
        roles = [{"name": "w", "template": {"spec": {"containers": [
            {"name": "m", "image": "host", "command": ["true"]}]}}}]  # fmt: skip
        made = {
            "apiVersion": "athanor.dev/v1alpha1", "kind": "TrainingJob",
            "metadata": {"name": "wrong"}, "spec": {"framework": "generic", "roles": roles, **spec},
        }  # fmt: skip
        return story.kubectl("apply", "-f", "-", fails=True, text=json.dumps(made))

    assert "spec.framework" in refused(framework="nonsense")
    assert "spec.runPolicy.backoffLimit" in refused(runPolicy={"backoffLimit": -1})
    assert "spec.roles" in refused(roles=[])
    assert 'unknown field "spec.rolls"' in refused(rolls=1)
    assert "no queue 'nowhere'" in story.athanor(
        "submit", "generic", "--queue", "nowhere", *SMALL, "--", "true", fails=True
    )


def test_a_failure_is_told_as_a_post_mortem(story: Teller) -> None:
    job(story, "bad", "--workers", "2", "--retries", "1",
        command="test $ATHANOR_RANK = 0 && sleep 60; echo out of luck; exit 3")  # fmt: skip
    story.athanor("wait", "bad", "--timeout", "4m", fails=True)
    said = story.why("bad")
    assert "worker-1 failed first: exit code 3" in said, said
    assert "retried 1 of 1 times" in said and "out of luck" in said


def test_exec_cp_and_forwarded_signals(story: Teller) -> None:
    job(
        story, "lives", command="trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    )
    story.athanor("wait", "lives", "--for", "running", "--timeout", "3m")
    story.until(lambda: "up" in story.athanor("logs", "lives"))
    assert story.athanor("exec", "lives", "--", "sh", "-c", "echo in $ATHANOR_RANK") == "in 0\n"
    story.athanor("exec", "lives", "--", "sh", "-c", "exit 7", fails=True)
    (story.folder / "note").write_text("a note")
    story.athanor("cp", "note", "lives:/tmp/")
    story.athanor("cp", "lives:/tmp/note", "back")
    assert (story.folder / "back").read_text() == "a note"
    story.athanor("delete", "lives", "--yes")


def test_suspend_resize_resume_restart_clone(story: Teller) -> None:
    training(story, "life")
    story.athanor("wait", "life", "--for", "running", "--timeout", "3m")
    progressed(story, "life", 6)
    story.athanor("suspend", "life")
    story.reaches("trainingjob", "life", "Suspended")
    story.until(lambda: not story.get("pods", "-l", "athanor.dev/job=life")["items"])
    assert "holds no hardware" in story.why("life")
    story.athanor("resize", "life", "3")
    story.athanor("resume", "life")
    story.reaches("trainingjob", "life", "Running")
    assert len(story.get("pods", "-l", "athanor.dev/job=life")["items"]) == 3
    begins = story.until(lambda: [
        line for line in story.athanor("logs", "life", "--rank", "worker-0").splitlines()
        if "begins at" in line and not line.endswith(" 0")
    ])  # fmt: skip
    assert int(begins[-1].rsplit(" ", 1)[1]) >= 5, "it goes on from its checkpoint"
    before = story.status("gang", "life")["admission"]["admittedAt"]
    story.athanor("restart", "life")
    story.until(lambda: story.athanor("logs", "life", "--rank", "worker-0").count("begins at") > 1
                or story.status("gang", "life").get("attempt", 0) > 1)  # fmt: skip
    assert story.status("gang", "life")["admission"]["admittedAt"] == before, "in place"
    story.athanor("clone", "life", "--name", "twin", "--suspended")
    assert story.get("trainingjob", "twin")["spec"]["roles"][0]["replicas"] == 3
    story.athanor("delete", "life", "twin", "--yes")


def test_a_killed_rank_and_its_gang_go_on_from_the_checkpoint(story: Teller) -> None:
    training(story, "hurt", "--retries", "3", steps=40, dies="1")
    story.reaches("trainingjob", "hurt", "Succeeded")
    said = story.athanor("logs", "hurt", "--rank", "worker-1")
    assert "begins at 10" in said and "done at 40" in said, said
    assert story.status("trainingjob", "hurt")["retries"] >= 1


def test_who_is_pushed_out_saves_his_work_first(story: Teller) -> None:
    team = story.queue("team", "--pool", "default", "--limit", "cpu=100m")
    training(story, "low", "--queue", team, "--priority", "low", workers=1)
    progressed(story, "low", 7)
    job(story, "vip", "--queue", team, "--priority", "high", command="sleep 3")
    story.reaches("trainingjob", "vip", "Succeeded")
    story.reaches("trainingjob", "low", "Running")
    begins = story.until(lambda: [
        line for line in story.athanor("logs", "low").splitlines()
        if "begins at" in line and not line.endswith(" 0")
    ])  # fmt: skip
    assert int(begins[-1].rsplit(" ", 1)[1]) >= 7, "what was asked for when it had to go"
    story.athanor("delete", "low", "--yes")


def test_code_goes_along_and_logs_stay_when_the_pods_are_gone(story: Teller) -> None:
    (story.folder / "job.py").write_text("import helper; print(helper.WORD)")
    (story.folder / "helper.py").write_text("WORD = 'taken along'")
    said = story.athanor(
        "submit", "generic", "--name", "along", *SMALL, "--workers", "2", "--code", ".", "--",
        "python", "job.py",
    )  # fmt: skip
    assert "uploaded" in said
    (story.folder / "helper.py").write_text("WORD = 'changed later'")
    story.athanor("wait", "along", "--timeout", "4m")
    lines = ["[worker-0] taken along", "[worker-1] taken along"]
    assert sorted(story.athanor("logs", "along").splitlines()) == lines
    story.athanor("delete", "along", "--yes")
    story.until(lambda: not story.get("pods", "-l", "athanor.dev/job=along")["items"])
    assert sorted(story.athanor("logs", "along").splitlines()) == lines


def test_libraries_go_along_as_wheels_where_there_is_no_index(story: Teller) -> None:
    (story.folder / "code").mkdir()
    (story.folder / "code" / "job.py").write_text("import hammer; print(hammer.WORD)")
    (story.folder / "needs.txt").write_text("hammer==1.2\n")
    made = wheel(story.folder / "wheels", "hammer", "1.2", "WORD = 'forged'")
    along = ("--workers", "2", "--code", "code", "--requirements", "needs.txt")
    along += ("--wheels", "wheels")
    run = ("--", "python", "job.py")
    story.athanor("submit", "generic", "--name", "forged", *SMALL, *along, "--suspended", *run)
    made.rename(made.with_name("anvil-1.2-py3-none-any.whl"))
    story.athanor("resume", "forged")
    story.athanor("wait", "forged", "--timeout", "4m")
    lines = ["[worker-0] forged", "[worker-1] forged"]
    assert sorted(story.athanor("logs", "forged").splitlines()) == lines
    story.athanor("submit", "generic", "--name", "lost", *SMALL, *along, "--retries", "0", *run)
    story.reaches("trainingjob", "lost", "Failed")
    why = story.athanor("why", "lost")
    assert "hammer" in why and "wheels come from" in why, why


def test_an_agent_that_dies_loses_nothing(story: Teller) -> None:
    job(story, "stays", command="for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 1; done")
    story.until(lambda: "line 2" in story.athanor("logs", "stays", fails=None))
    story.place.restart_agent()
    story.athanor("wait", "stays", "--timeout", "4m")
    lines = [f"[worker-0] line {i}" for i in range(1, 11)]
    story.until(lambda: story.athanor("logs", "stays", fails=None).splitlines() == lines)
    assert story.status("trainingjob", "stays").get("restarts", 0) == 0


def test_deadlines_and_time_to_live(story: Teller) -> None:
    job(story, "late", "--deadline", "3s", "--keep", "20s", command="sleep 60")
    story.reaches("trainingjob", "late", "Failed")
    assert "DeadlineExceeded" in json.dumps(story.status("trainingjob", "late"))
    story.until(lambda: not story.kubectl("get", "trainingjob", "late", "--ignore-not-found"))


def test_debug_waits_for_its_word(story: Teller) -> None:
    job(story, "slow", "--debug", command="echo ran")
    story.athanor("wait", "slow", "--for", "running", "--timeout", "3m")
    assert story.athanor("exec", "slow", "--", "echo", "looking around") == "looking around\n"
    assert "ran" not in story.athanor("logs", "slow")
    story.athanor("debug", "slow", "--run")
    story.athanor("wait", "slow", "--timeout", "3m")
    assert "[worker-0] ran" in story.athanor("logs", "slow")


def test_the_sdk_trains_a_function(story: Teller) -> None:
    (story.folder / "fit.py").write_text(
        "import athanor\n"
        "def fit(steps):\n"
        "    import athanor_progress as progress\n"
        "    for step in range(steps):\n"
        "        progress.report(step + 1, steps, loss=1 / (step + 1))\n"
        "        print('step', step)\n"
        "    return {'steps': steps}\n"
        "if __name__ == '__main__':\n"
        "    job = athanor.train(fit, framework='pytorch', workers=2, cpu='100m',\n"
        "                        arguments={'steps': 3})\n"
        "    for line in job.logs(follow=True):\n"
        "        print(line)\n"
        "    print(job.wait(timeout=60).status.phase, job.result())\n"
        "    print(job.metrics().step, job.metrics().values)\n"
    )
    said = story.python("fit.py").splitlines()
    for rank in (0, 1):
        mine = [line for line in said if line.startswith(f"[worker-{rank}]")]
        assert mine == [f"[worker-{rank}] step {step}" for step in range(3)], said
    assert said[-2:] == ["Succeeded {'steps': 3}", "3 {'loss': 0.3333333333333333}"]


def test_follow_while_it_runs(story: Teller) -> None:
    job(story, "talks", "--workers", "2", command="for i in 1 2 3; do echo $i; sleep 0.5; done")
    story.athanor("wait", "talks", "--for", "running", "--timeout", "3m", fails=None)
    said = story.athanor("logs", "-f", "talks").splitlines()
    assert sorted(said) == sorted(f"[worker-{r}] {i}" for r in (0, 1) for i in (1, 2, 3))


PEERS = """
import os, socket, time
first = socket.gethostbyname('peers-worker-0.peers'), int(os.environ['ATHANOR_PORT'])
if os.environ['ATHANOR_RANK'] == '0':
    socket.create_server(first).accept()  # whoever has ended has no name any more
while os.environ['ATHANOR_RANK'] == '1':
    try:
        socket.create_connection(first)
        break
    except ConnectionError:
        time.sleep(0.1)
print(first[0])
"""


def test_names_of_ranks_resolve(story: Teller) -> None:
    job(story, "peers", "--workers", "2", command=f'python -c "{PEERS}"')
    story.athanor("wait", "peers", "--timeout", "3m", fails=None)
    said = story.athanor("logs", "peers").splitlines()
    assert len(said) == 2 and len({line.split("] ")[1] for line in said}) == 1, said
