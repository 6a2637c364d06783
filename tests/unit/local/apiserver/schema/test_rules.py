"""Rules that are evaluated together, or not at all, say what each would say by itself."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from athanor.api import training_rules
from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.local.apiserver.schema.rules import Rule, compile_rules
from athanor.wire.status import Cause

GUARD = "!(has(oldSelf.s) && has(oldSelf.s.p) && oldSelf.s.p in ['x', 'y']) || "
TEXT: JSON = {"type": "string"}
SCHEMA: JSON = {
    "type": "object",
    "properties": {
        "a": TEXT, "b": TEXT, "n": {"type": "integer"},
        "s": {"type": "object", "properties": {"p": TEXT}},
    },
}  # fmt: skip


def causes(rules: list[str], value: Any, old: Any) -> list[str]:
    """The messages of the rules that do not hold; each rule's message is its number."""
    listed = [{"rule": rule, "message": f"#{number}"} for number, rule in enumerate(rules)]
    run = compile_rules({**SCHEMA, "x-kubernetes-validations": listed})
    assert run is not None
    found: list[Cause] = []
    run(value, old, "", "", found)
    return [cause.message.rpartition("#")[2] for cause in found]


@pytest.mark.parametrize(
    ("rest", "old", "holds"),
    [
        ("self.a == oldSelf.a", {"a": "1", "s": {"p": "x"}}, False),
        ("self.a == oldSelf.a", {"a": "2", "s": {"p": "x"}}, True),
        ("self.a == oldSelf.a", {"a": "1", "s": {"p": "z"}}, True),
        ("self.a == oldSelf.a", {"a": "1", "s": {}}, True),
        ("self.a == oldSelf.a", {"a": "1"}, True),
        ("self.n / 0 == 1", {"a": "1"}, True),
        ("self.n / 0 == 1", {"a": "1", "s": {"p": "y"}}, False),
        ("(has(self.b) ? self.b : '?(') == '?('", {"a": "1", "s": {"p": "y"}}, True),
        ("has(self.b) ? false : true", {"a": "1"}, False),
        ("self.a == '(' ? false : true", {"a": "1"}, False),
        ("self.a == '?'", {"a": "1", "s": {"p": "z"}}, True),
    ],
)
def test_a_guard_on_the_old_value_binds_as_cel_says(rest: str, old: JSON, holds: bool) -> None:
    value = {"a": "2", "n": 1}
    assert (causes([GUARD + rest], value, old) == []) is holds
    # beside others, which are evaluated together
    told = causes(["self.a == '2'", GUARD + rest, "self.n == 1", "oldSelf.a != '9'"], value, old)
    assert told == ([] if holds else ["1"])


def test_those_that_fail_are_named_one_by_one() -> None:
    rules = ["self.a == '1'", "!has(self.b) || self.b == '1'", "self.n > 5", "self.n > 0"]
    assert causes(rules, {"a": "1", "n": 9}, None) == []
    assert causes(rules, {"a": "2", "b": "2", "n": 3}, None) == ["0", "1", "2"]


def alone(value: JSON, old: JSON | None) -> list[str]:
    """What each rule of a job says when it is asked by itself, without shortcuts."""
    found = []
    for source in training_rules.RULES[TrainingJob]:
        rule = Rule(source)
        if rule.uses_old and old is None:
            continue
        seen = {"self": value, "oldSelf": old} if rule.uses_old else {"self": value}
        if rule.check(seen, value, "") is not None:
            found.append(source["message"])
    return found


def test_all_rules_of_a_job_over_all_phases() -> None:
    run = compile_rules({"x-kubernetes-validations": training_rules.RULES[TrainingJob]})
    assert run is not None
    role = {"name": "worker", "replicas": 1}
    changes: list[JSON] = [
        {}, {"suspend": True}, {"debug": True}, {"roles": [{**role, "replicas": 2}]},
        {"elastic": {"min": 1, "max": 2}}, {"runPolicy": {"restarts": 1}},
        {"scheduling": {"queue": "other"}}, {"roles": [{**role, "name": "w" * 60}]},
    ]  # fmt: skip
    phases = [None, "Pending", "Running", "Restarting", "Suspended", "Succeeded", "Failed"]
    wrong = 0
    for change, phase in itertools.product(changes, phases):
        head: JSON = {"metadata": {"name": "a"}}
        status: JSON = {} if phase is None else {"status": {"phase": phase}}
        old = {**head, "spec": {"roles": [role]}, **status}
        new = {**head, "spec": {"roles": [role], **change}, **status}
        for before in (None, old):
            found: list[Cause] = []
            run(new, before, "", "", found)
            told = [cause.message.partition(": ")[2] for cause in found]
            assert told == alone(new, before), (change, phase)
            wrong += bool(told)
    assert wrong > 10
