"""Two teams on one queue: neither sees, explains or guesses the other's work."""

from __future__ import annotations

import json

import pytest

from tests.conformance.stories.teller import Teller

HIDDEN = "moonshot"
PASSWORD = "correct-horse-battery"
VISIBILITY = "/apis/visibility.athanor.dev/v1alpha1"


def two(story: Teller) -> tuple[Teller, Teller, str]:
    """Ann and Ben in namespaces of their own, both on one queue that Ben's job fills."""
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    ann, ben = story.neighbour("red").person("ann"), story.neighbour("blue").person("ben")
    ben.submit(HIDDEN, "--queue", team, "--cpu", "4", "--env", f"WORD={PASSWORD}")
    ben.reaches("trainingjob", HIDDEN, "Running")
    return ann, ben, team


def test_what_is_others_is_neither_seen_nor_guessed(story: Teller) -> None:
    ann, ben, team = two(story)
    there = ben.namespace
    for name in (HIDDEN, "no-such-job"):
        for kind in ("trainingjob", "gang", "pod", "event", "configmap", "secret"):
            said = ann.kubectl("-n", there, "get", kind, name, fails=True)
            assert "Forbidden" in said and HIDDEN not in said.replace(name, ""), said
        verbs = (["why", name], ["logs", name], ["get", "trainingjob", name],
                 ["describe", "trainingjob", name], ["exec", name, "--", "true"])  # fmt: skip
        for verb, *rest in verbs:
            said = ann.athanor(verb, "-n", there, *rest, fails=True)
            assert "forbidden" in said.lower() or "may not" in said, said
        for path in (f"namespaces/{there}/gangs/{name}", f"namespaces/{there}/gangs/{name}/start",
                     f"namespaces/{there}/gangs/{name}/changes", f"namespaces/{there}/gangs",
                     f"queues/{team}", "snapshots/latest", "gangs"):  # fmt: skip
            said = ann.kubectl("get", "--raw", f"{VISIBILITY}/{path}", fails=True)
            assert "Forbidden" in said or "forbidden" in said, said
    for path in ("podlogs", "bundles/sha256-0"):
        raw = f"/apis/gateway.athanor.dev/v1alpha1/namespaces/{there}/{path}"
        assert "orbidden" in ann.kubectl("get", "--raw", raw, fails=True)
    ben.submit("waits", "--queue", team, "--cpu", "2.875", "--memory", "77Mi")
    line = ann.until(lambda: ann.get("queue", team)["status"].get("top"))
    assert [set(one) <= {"reason", "priority"} for one in line] == [True], line
    told = json.dumps(ann.get("queue", team))
    assert "2875m" not in told and "77Mi" not in told and "waits" not in told
    assert "orbidden" in ann.athanor("simulate", fails=True)
    assert "orbidden" in ann.kubectl("get", "gangs", "-A", fails=True)


TRICKS = (
    "{here}/../{there}/gangs", "{here}/gangs/../../{there}/gangs", "{there}//gangs",
    "{here}%2F..%2F{there}/gangs", "{here}/gangs/..%2F..%2F{there}%2Fgangs%2Fmoonshot",
)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_of_a_path_leads_there(story: Teller, trick: str) -> None:
    ann = story.person("ann")
    path = trick.format(here=ann.namespace, there="default")
    said = ann.kubectl("get", "--raw", f"{VISIBILITY}/namespaces/{path}", fails=True)
    assert "GangVisibility" not in said, said


def test_what_one_is_told_of_ones_own_names_nobody_else(story: Teller) -> None:
    ann, ben, team = two(story)
    ann.submit("waits", "--queue", team, "--cpu", "2")
    ann.until(lambda: ann.status("gang", "waits").get("reasons"))
    told = [ann.why("waits"), ann.athanor("why", "waits", "-o", "json")]
    path = f"{VISIBILITY}/namespaces/{ann.namespace}/gangs"
    paths = [f"{path}{more}" for more in ("", "/waits", "/waits/start", "/waits/changes")]
    told += [ann.kubectl("get", "--raw", one) for one in paths]
    told += [ann.athanor("queue", *words) for words in (["list"], ["tree"], ["get", team])]
    told += [ann.athanor("top", "queue")]
    kinds = ("queue,pool,reservation", "events,gangs,trainingjobs,pods")
    told += [ann.kubectl("get", some, "-o", "json") for some in kinds]
    for said in told:
        for secret in (HIDDEN, ben.namespace, "ben", PASSWORD):
            assert secret not in said, said
    assert f"used by queue {team}: 4" in told[0], "shares of queues are for everybody"


def test_who_is_pushed_out_is_not_told_by_whom(story: Teller) -> None:
    pool = story.nodes("a", cpu="4")
    team = story.queue("team", "--pool", pool)
    ann, ben = story.neighbour("red").person("ann"), story.neighbour("blue").person("ben")
    ann.submit("mine", "--queue", team, "--cpu", "4", "--priority", "low")
    ann.reaches("trainingjob", "mine", "Running")
    ben.submit(HIDDEN, "--queue", team, "--cpu", "4", "--priority", "high")
    ben.reaches("trainingjob", HIDDEN, "Running")
    ann.reaches("trainingjob", "mine", "Queued")
    everything = "events,gangs,trainingjobs,pods"
    told = [ann.why("mine"), ann.kubectl("get", everything, "-o", "json")]
    told += [ann.kubectl("get", "queue,pool", "-o", "json")]
    for said in told:
        for secret in (HIDDEN, ben.namespace, "ben"):
            assert secret not in said, said
    for said in (ben.why(HIDDEN), ben.kubectl("get", everything, "-o", "json")):
        assert ann.namespace not in said and '"ann"' not in said, said
    assert "Preempted" in told[1]


def test_nothing_secret_stands_in_statuses_or_events(story: Teller) -> None:
    story.kubectl("create", "secret", "generic", "keys", f"--from-literal=KEY={PASSWORD}-1")
    story.athanor(
        "submit", "generic", "--name", "careful", "--image", "host", "--cpu", "100m", "--secret",
        "keys", "--env", f"WORD={PASSWORD}-2", "--retries", "0", "--", "sh", "-c", "exit 3",
    )  # fmt: skip
    story.athanor("wait", "careful", "--timeout", "3m", fails=True)
    found = story.get("events,gangs,trainingjobs,pods")["items"]
    for one in found:
        said = json.dumps(one.get("status") or one.get("message"))
        assert PASSWORD not in said, said
    assert PASSWORD not in story.kubectl("get", "events", "-o", "yaml")
    assert PASSWORD not in story.kubectl("get", "queues,pools", "-o", "yaml")
    assert PASSWORD not in story.why("careful") + story.athanor("list") + story.place.said()
