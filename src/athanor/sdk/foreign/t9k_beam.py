"""T9k's BeamJob: a Flink cluster, and the pod that hands it a Beam pipeline.

The cluster is a FlinkCluster of the operator that T9k uses; its managers become roles, and so does
the submitting pod, whose end is the job's.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign import batch, shape, t9k
from athanor.sdk.foreign.given import Given

SUBMIT = "submit"
SLOTS = "taskmanager.numberOfTaskSlots"
FOUND = "ranks find each other by name"
RUNNER = ["--runner=FlinkRunner", "--flink_master=$(JOB_MANAGER_RPC_ADDRESS):$(ATHANOR_PORT_1)"]
"""What a Beam pipeline is told (see the options of its FlinkRunner)."""


def read(given: Given, kind: str) -> JSON:
    """The job: job manager, task managers, and a role that submits."""
    spec = t9k.common(given)
    cluster = given.part("spec.flinkClusterTemplate.spec")
    shared = _Shared(cluster)
    submit = _submit(given.part("spec.jobTemplate.spec"), spec)
    spec["roles"] = [
        shared.role(cluster.part("jobManager"), "jobmanager"),
        shared.role(cluster.part("taskManager"), "taskmanager"),
        submit,
    ]
    spec["processesPerReplica"] = _slots(cluster)
    spec["successRules"] = [{"ranks": {SUBMIT: [0]}}]
    leaves = given.take("spec.runPolicy.cleanUpCluster", False)
    spec["runPolicy"] |= {"cleanPods": "Unfinished" if leaves else "None"}
    cluster.needless("flinkVersion", "the Flink of the image runs")
    return shape.job(given, "flink", spec)


def _slots(cluster: Given) -> int | None:
    """How many tasks a task manager runs at a time, from Flink's own settings."""
    properties = cluster.take("flinkProperties", {})
    slots = str(properties.pop(SLOTS, ""))
    for name, value in properties.items():
        cluster.note(f"flinkProperties.{name}", f"{value}: put it into the image's configuration")
    if slots.isdecimal() and int(slots):
        return int(slots)
    if slots:
        cluster.note(f"flinkProperties.{SLOTS}", f"{slots} is no number: one task at a time")
    return None


class _Shared:
    """What both kinds of managers have in common: image, variables, account."""

    def __init__(self, cluster: Given) -> None:
        image = cluster.part("image")
        self.container = {
            "image": image.take("name"), "imagePullPolicy": image.take("pullPolicy"),
            "env": cluster.take("envVars", []), "envFrom": cluster.take("envFrom"),
        }  # fmt: skip
        self.pod = {
            "imagePullSecrets": image.take("pullSecrets"),
            "serviceAccountName": cluster.take("serviceAccountName"),
        }

    def role(self, part: Given, name: str) -> JSON:
        """One of the managers, without a command: the framework has its own."""
        main = {"name": name, **self.container}
        main |= {field: part.take(field) for field in ("resources", "volumeMounts")}
        pod = dict(self.pod)
        for field in ("volumes", "initContainers", "nodeSelector", "tolerations"):
            pod[field] = part.take(field)
        pod |= {"securityContext": part.take("securityContext")}
        meta = {"labels": part.take("podLabels"), "annotations": part.take("podAnnotations")}
        containers = [_said(main), *part.take("sidecars", [])]
        for field in ("accessScope", "ports", "extraPorts"):
            part.needless(field, FOUND)
        template = {"metadata": _said(meta), "spec": {**_said(pod), "containers": containers}}
        made: JSON = {"name": name, "restartPolicy": "OnFailure", "template": _said(template)}
        replicas = part.take("replicas", 1)
        return made if replicas == 1 else {**made, "replicas": replicas}


def _submit(job: Given, spec: JSON) -> JSON:
    """The pod of a batch Job, told where the cluster is; what the Job says is the run policy's."""
    for name in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if (value := job.number(name)) is None:
            continue
        if name in spec["runPolicy"]:
            job.note(name, f"{value}: spec.runPolicy.{name} holds")
        else:
            spec["runPolicy"] = {**spec["runPolicy"], name: value}
    spec["runPolicy"] = {"backoffLimit": batch.RETRIES, **spec["runPolicy"]}
    batch.renewed(job)
    one = shape.role(job, SUBMIT, "OnFailure")
    main = shape.container(one["template"])
    where = "template.spec.containers[0].args"
    words = shape.words(one["template"])
    if not any(word.split("=")[0] in ("--runner", "--flink_master") for word in words):
        main = {**main, "args": [*(main.get("args") or []), *RUNNER]}
        job.note(where, f"{' '.join(RUNNER)} are added; where the pipeline's own workers run "
                 "(--environment_type) is yours to say")  # fmt: skip
    others = ((one["template"].get("spec") or {}).get("containers") or [{}])[1:]
    pod = {**(one["template"].get("spec") or {}), "containers": [main, *others]}
    return {**one, "template": {**one["template"], "spec": pod}}


def _said(values: JSON) -> JSON:
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
