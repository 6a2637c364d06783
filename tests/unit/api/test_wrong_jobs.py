"""Two hundred wrong jobs: each is refused when it is created, with its field and a sentence."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from athanor.api.meta import JSON
from athanor.api.training import Framework, TrainingJob
from athanor.testing import lab, virtual
from athanor.wire.status import ApiError

LEADS = {"mpi": "launcher", "horovod": "launcher", "ray": "head", "spark": "driver",
         "flink": "jobmanager"}  # fmt: skip
RIGID = ("mpi", "horovod", "xgboost", "lightgbm", "tensorflow", "deepspeed")
CONTAINER = ("roles", 0, "template", "spec", "containers", 0)
BUNDLE = "sha256:" + "a" * 64

ANYWHERE: list[tuple[tuple[Any, ...], Any]] = [
    (("roles",), []), (("roles", 0, "replicas"), -1), (("roles", 0, "replicas"), "two"),
    (("roles", 0, "replicas"), 20001), (("roles", 0, "name"), "Worker"),
    (("roles", 0, "restartPolicy"), "Sometimes"), (("roles", 0, "template"), {}),
    (("roles", 0, "template", "spec"), {}), (("roles", 0, "template", "spec", "containers"), []),
    ((*CONTAINER, "name"), "Main_1"), ((*CONTAINER, "command"), "python t.py"),
    ((*CONTAINER, "env"), [{"name": "A", "value": 1}]), ((*CONTAINER, "env"), [{"value": "1"}]),
    ((*CONTAINER, "resources"), {"limits": {"memory": "16 GB"}}),
    ((*CONTAINER, "resources"), {"requests": {"cpu": "many"}}),
]  # fmt: skip
"""A wrong value at a path of the spec; tried with every framework."""

ONCE: list[JSON] = [
    {"framework": "caffe"}, {"processesPerReplica": 0}, {"runPolicy": {"backoffLimit": -1}},
    {"runPolicy": {"activeDeadlineSeconds": 0}}, {"runPolicy": {"startingDeadlineSeconds": 0}},
    {"runPolicy": {"ttlSecondsAfterFinished": -1}}, {"runPolicy": {"cleanPods": "Some"}},
    {"runPolicy": {"retryableExitCodes": [0]}}, {"runPolicy": {"retryableExitCodes": [256]}},
    {"runPolicy": {"restarts": -1}}, {"successRules": [{}]}, {"failureRules": [{"ranks": {}}]},
    {"successRules": [{"ranks": {"nobody": []}}]}, {"failureRules": [{"ranks": {"nobody": [0]}}]},
    {"successRules": [{"ranks": {"worker": [9]}}]}, {"failureRules": [{"ranks": {"worker": [-1]}}]},
    {"elastic": {"min": 3, "max": 2}}, {"elastic": {"min": 0, "max": 2}}, {"elastic": {"min": 1}},
    {"elastic": {"min": 1, "max": 2, "role": "nobody"}}, {"suspend": "yes"}, {"debug": "on"},
    {"code": {"bundle": "sha256:12"}}, {"code": {"bundle": BUNDLE, "git": "https://a"}},
    {"tensorboard": {"logDir": "runs"}},
    {"code": {"ref": "main"}}, {"code": {"git": "https://a/b", "directory": "/x"}},
    {"outputs": "here"}, {"checkpoints": {"directory": "here"}},
    {"checkpoints": {"graceSeconds": -1}}, {"scheduling": {"maxRuntimeSeconds": 0}},
    {"scheduling": {"estimatedRuntimeSeconds": "1h"}}, {"scheduling": {"pools": "fast"}},
]  # fmt: skip
"""Fields of the spec that are wrong for any framework; tried with one."""


def good(framework: str) -> JSON:
    main = {"name": "main", "image": "host", "command": ["python", "t.py"]}
    template = {"spec": {"containers": [main]}}
    roles = [{"name": "worker", "replicas": 2, "template": template}]
    if framework in LEADS:
        roles.append({"name": LEADS[framework], "template": copy.deepcopy(template)})
    return {"framework": framework, "roles": roles}


def changed(spec: JSON, path: tuple[Any, ...], value: Any) -> JSON:
    whole = copy.deepcopy(spec)
    at: Any = whole
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return whole


def wrong() -> Iterator[JSON]:
    for framework in get_args(Framework):
        spec = good(framework)
        yield from (changed(spec, path, value) for path, value in ANYWHERE)
        if framework in LEADS:
            yield {**spec, "roles": spec["roles"][:1]}
            yield changed(spec, ("roles", 1, "replicas"), 2)
        if framework != "generic":
            yield {**spec, "service": False}
        if framework in RIGID:
            yield {**spec, "elastic": {"min": 1, "max": 2}}
        if framework in ("mpi", "horovod"):
            yield {**spec, "roles": spec["roles"][1:]}
        if framework == "tensorflow":
            for name, count in (("boss", 1), ("chief", 2), ("evaluator", 2)):
                more = {**copy.deepcopy(spec["roles"][0]), "name": name, "replicas": count}
                yield {**spec, "roles": [*spec["roles"], more]}
    yield from ({**good("generic"), **more} for more in ONCE)


def test_each_is_refused_with_its_field_and_a_sentence() -> None:
    every = list(wrong())
    assert len(every) >= 200

    async def main() -> None:
        async with lab.server() as world:
            for framework in get_args(Framework):
                meta = {"name": framework, "namespace": "default"}
                await world.create({"metadata": meta, "spec": good(framework)}, TrainingJob)
            for spec in every:
                with pytest.raises(ApiError) as refused:
                    await world.create(
                        {"metadata": {"name": "w", "namespace": "default"}, "spec": spec},
                        TrainingJob,
                    )
                error = refused.value
                assert error.reason == "Invalid", (spec, error)
                assert error.causes, (spec, error)
                assert any(c.field.startswith("spec") and c.message for c in error.causes), error

    virtual.run(main)
