"""Jobs of other platforms become ours, and nothing is lost unsaid."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from athanor.api.crons import Cron
from athanor.api.meta import JSON
from athanor.api.training import TrainingJob
from athanor.sdk.foreign.convert import Converted, convert
from athanor.testing import lab, virtual

POD = "{spec: {restartPolicy: X, containers: [{name: c, image: i, command: [python, t.py]}]}}"

KUBEFLOW = f"""
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {{name: a, namespace: n, uid: u, labels: {{team: x}}}}
spec:
  nprocPerNode: "2"
  elasticPolicy:
    {{minReplicas: 1, maxReplicas: 4, rdzvBackend: c10d, maxRestarts: 5, rdzvPort: 29400}}
  runPolicy:
    cleanPodPolicy: Running
    backoffLimit: 2
    activeDeadlineSeconds: 60
    ttlSecondsAfterFinished: 9
    suspend: true
    schedulingPolicy: {{queue: q, priorityClass: high, scheduleTimeoutSeconds: 7}}
  pytorchReplicaSpecs:
    Worker: {{replicas: 4, restartPolicy: ExitCode, template: {POD}}}
status: {{anything: 1}}
"""
TF = f"""
apiVersion: kubeflow.org/v1
kind: TFJob
metadata: {{name: a}}
spec:
  successPolicy: AllWorkers
  tfReplicaSpecs:
    PS: {{replicas: 1, template: {POD}}}
    Worker: {{replicas: 2, restartPolicy: OnFailure, template: {POD}}}
"""
MPI = f"""
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata: {{name: a}}
spec:
  slotsPerWorker: 2
  sshAuthMountPath: /home/x/.ssh
  mpiImplementation: MPICH
  runLauncherAsWorker: true
  runPolicy: {{cleanPodPolicy: All}}
  mpiReplicaSpecs:
    Launcher: {{replicas: 1, template: {POD}}}
    Worker:
      replicas: 2
      template: {{spec: {{containers: [{{name: w, image: i, command: [/usr/sbin/sshd, -De]}}]}}}}
"""
TRAIN = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: a}
spec:
  runtimeRef: {name: torch-distributed}
  suspend: true
  initializer: {model: {storageUri: "hf://x"}}
  trainer:
    image: i
    command: [torchrun, t.py]
    numNodes: 3
    numProcPerNode: auto
    resourcesPerNode: {limits: {nvidia.com/gpu: 4}}
"""
T9K_TORCH = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: PyTorchTrainingJob
metadata: {{name: a}}
spec:
  torchrunConfig: {{enabled: true, procPerNode: "4", maxRestarts: 3, extraOptions: [--tee, "3"]}}
  elastic: {{enabled: true, minReplicas: 1, maxReplicas: 5, expectedReplicas: 2}}
  runPolicy: {{cleanUpPolicy: Unfinished, backoffLimit: 9}}
  runMode: {{pause: {{enabled: true}}}}
  scheduler: {{t9kScheduler: {{queue: q, priority: 50}}}}
  tensorboardSpec: {{image: tb, trainingLogFilesets: [t9k://pvc/a/b]}}
  replicaSpecs:
  - {{type: node, replicas: 2, restartPolicy: OnFailure, template: {POD}}}
"""
T9K_GENERIC = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: GenericJob
metadata: {{name: a}}
spec:
  successRules: [{{worker: [0]}}]
  failureRules: [{{worker: [0]}}, {{worker: [1]}}]
  service: {{ports: [{{port: 80}}]}}
  cleanUpPolicy: All
  replicaSpecs:
  - {{type: worker, replicas: 4, restartPolicy: {{policy: OnFailure, limit: 3}}, template: {POD}}}
"""
T9K_DEEPSPEED = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: DeepSpeedJob
metadata: {{name: a}}
spec:
  runMode: {{debug: {{enabled: true}}}}
  config: {{slotsPerWorker: 2, run: {{module: [pkg, --x]}}, autotune: {{kind: run}}}}
  worker: {{replicas: 3, template: {POD}}}
"""
T9K_MPI = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: MPIJob
metadata: {{name: a}}
spec:
  mpiHome: /usr/local
  mca: {{btl: "tcp,self"}}
  ssh: {{sshdPath: /x}}
  worker: {{replicas: 2, cmd: [./train], extraMPIArgs: [--bind-to, none], template: {POD}}}
"""
T9K_MPI_2025 = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: MPIJob
metadata: {{name: a}}
spec:
  ssh: {{sshAuthMountPath: /root/.ssh}}
  mpiConfig: {{home: /opt/mpi, script: [./train, "1"], extraArgs: [-N, "3"], mca: {{btl: self}}}}
  runPolicy: {{cleanUpWorkers: true}}
  replicaSpecs:
  - {{type: launcher, restartPolicy: {{policy: OnFailure, limit: 2}},
     template: {{spec: {{containers: [{{name: l, image: i}}]}}}}}}
  - {{type: worker, replicas: 5, restartPolicy: {{policy: OnFailure, limit: 1}}, template: {POD}}}
"""
T9K_BOARD = """
apiVersion: batch.tensorstack.dev/v1beta1
kind: TensorFlowTrainingJob
metadata: {name: a, ownerReferences: [{kind: Workflow, name: w}]}
spec:
  tensorboardSpec:
    suspend: true
    resources: {limits: {cpu: 1}}
    logDir: {pvc: [{name: runs, subPath: [a/log, b]}], s3: {uri: ["s3://x"]}}
  replicaSpecs:
  - type: worker
    template:
      spec:
        volumes: [{name: v, persistentVolumeClaim: {claimName: runs}}]
        containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /r, subPath: a}]}]
"""
T9K_BEAM = """
apiVersion: batch.tensorstack.dev/v1beta1
kind: BeamJob
metadata: {name: words}
spec:
  flinkClusterTemplate:
    spec:
      image: {name: flink}
      jobManager: {resources: {limits: {cpu: 1}}}
      taskManager: {replicas: 2}
      flinkProperties: {taskmanager.numberOfTaskSlots: "2"}
  jobTemplate:
    spec:
      backoffLimit: 4
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: submit-job, image: beam, command: [python3], args: [job.py]}]
"""
T9K_COLOSSAL = f"""
apiVersion: batch.tensorstack.dev/v1beta1
kind: ColossalAIJob
metadata: {{name: a}}
spec:
  ssh: {{authMountPath: /root/.ssh}}
  launcher: {{image: other, workingDir: /w}}
  worker: {{replicas: 2, procPerWorker: 4, command: [t.py, x], torchArgs: [--tee, "3"],
           template: {POD}}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: a, uid: u}
spec:
  completions: 4
  parallelism: 4
  completionMode: Indexed
  backoffLimit: 2147483647
  backoffLimitPerIndex: 2
  activeDeadlineSeconds: 60
  ttlSecondsAfterFinished: 9
  suspend: true
  selector: {matchLabels: {batch.kubernetes.io/controller-uid: u}}
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
    - {action: FailJob, onExitCodes: {containerName: c, operator: NotIn, values: [3, 42]}}
    - {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}
    - {action: FailIndex, onExitCodes: {operator: In, values: [1]}}
  successPolicy: {rules: [{succeededIndexes: "0,2-3"}, {succeededIndexes: "1", succeededCount: 1}]}
  template:
    metadata: {labels: {app: x, job-name: a, batch.kubernetes.io/controller-uid: u}}
    spec:
      restartPolicy: Never
      containers:
      - name: c
        image: i
        env:
        - name: PART
          valueFrom:
            fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']"}
"""
CRON = f"""
apiVersion: batch/v1
kind: CronJob
metadata: {{name: a, namespace: n}}
spec:
  schedule: "30 2 ? * 1-5"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 60
  successfulJobsHistoryLimit: 0
  failedJobsHistoryLimit: 2
  suspend: true
  jobTemplate:
    metadata: {{labels: {{team: x}}}}
    spec: {{managedBy: somebody/else, template: {POD.replace("X", "Never")}}}
"""
RAY = """
apiVersion: ray.io/v1
kind: RayJob
metadata: {name: a}
spec:
  entrypoint: python t.py --lr 1 && echo done
  runtimeEnvYAML: |
    pip: [requests]
    env_vars: {LEVEL: 3}
    working_dir: https://x/y.zip
  activeDeadlineSeconds: 60
  preRunningDeadlineSeconds: 30
  ttlSecondsAfterFinished: 0
  shutdownAfterJobFinishes: true
  rayClusterSpec:
    rayVersion: 2.52.0
    enableInTreeAutoscaling: true
    headGroupSpec:
      rayStartParams: {num-cpus: "0", dashboard-host: 0.0.0.0, resources: '"{\\"tag\\": 1}"'}
      template: {spec: {containers: [{name: h, image: i, env: [{name: LEVEL, value: "1"}]}]}}
    workerGroupSpecs:
    - groupName: Small
      replicas: 2
      minReplicas: 1
      maxReplicas: 4
      numOfHosts: 2
      rayStartParams: {}
      template: {spec: {containers: [{name: w, image: i, args: [sleep]}, {name: side, image: j}]}}
    - {groupName: big, minReplicas: 3, maxReplicas: 5, resources: {GPU: "2", memory: 1Ki},
       template: {spec: {containers: [{name: w, image: i}]}}}
"""
VOLCANO = f"""
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: a}}
spec:
  schedulerName: volcano
  minAvailable: 3
  minSuccess: 1
  queue: q
  priorityClassName: high
  maxRetry: 5
  ttlSecondsAfterFinished: 9
  runningEstimate: 1h30m0s
  plugins: {{svc: [], env: []}}
  volumes:
  - {{mountPath: /in, volumeClaimName: data}}
  - {{mountPath: /out, volumeClaim: {{storageClassName: s}}}}
  policies: [{{event: PodEvicted, action: RestartJob}}, {{event: PodFailed, action: AbortJob}}]
  tasks:
  - name: lead
    replicas: 1
    policies: [{{event: TaskCompleted, action: CompleteJob}}]
    template: {POD.replace("X", "Never")}
  - name: work-er
    replicas: 2
    policies: [{{exitCode: 3, action: RestartTask}}]
    template: {POD.replace("X", "Never")}
"""
VOLCANO_MPI = f"""
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: a}}
spec:
  minAvailable: 2
  plugins: {{mpi: [--master=boss, --worker, w, --port=22], svc: [], ssh: []}}
  tasks:
  - {{name: boss, replicas: 1, template: {POD.replace("X", "OnFailure")}}}
  - name: w
    replicas: 2
    template: {{spec: {{containers: [{{name: w, image: i, command: [/usr/sbin/sshd, -D]}}]}}}}
"""
VOLCANO_TORCH = f"""
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: a}}
spec:
  plugins: {{pytorch: [--master=boss]}}
  policies: [{{event: PodFailed, action: RestartJob}}]
  tasks:
  - {{name: worker, replicas: 2, template: {POD.replace("X", "OnFailure")}}}
  - {{name: boss, replicas: 1, template: {POD.replace("X", "OnFailure")}}}
"""
EVERY = (
    KUBEFLOW, TF, MPI, TRAIN, T9K_TORCH, T9K_GENERIC, T9K_DEEPSPEED, T9K_MPI, T9K_MPI_2025,
    T9K_BOARD, T9K_COLOSSAL, T9K_BEAM, JOB, CRON, RAY,
    VOLCANO, VOLCANO_MPI, VOLCANO_TORCH,
)  # fmt: skip


def read(text: str) -> Converted:
    manifest: JSON = yaml.safe_load(text)
    return convert(manifest)


def container(role: JSON) -> JSON:
    found: JSON = role["template"]["spec"]["containers"][0]
    return found


def command(role: JSON) -> list[str]:
    found: list[str] = container(role).get("command", [])
    return found


def test_a_pytorch_job() -> None:
    made = read(KUBEFLOW)
    assert made.manifest["metadata"] == {"name": "a", "namespace": "n", "labels": {"team": "x"}}
    spec = made.manifest["spec"]
    assert spec["runPolicy"] == {
        "backoffLimit": 2, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 9,
        "cleanPods": "Unfinished", "startingDeadlineSeconds": 7,
    }  # fmt: skip
    assert spec["elastic"] == {"min": 1, "max": 4}
    assert spec["scheduling"] == {"queue": "q", "priorityClassName": "high"}
    assert (spec["processesPerReplica"], spec["suspend"]) == (2, True)
    (worker,) = spec["roles"]
    assert (worker["name"], worker["replicas"], worker["restartPolicy"]) == (
        "worker",
        4,
        "ExitCode",
    )
    assert "restartPolicy" not in worker["template"]["spec"]
    assert made.lost == ["spec.elasticPolicy.rdzvPort: 29400"]


def test_a_tensorflow_job() -> None:
    made = read(TF)
    assert [one["name"] for one in made.manifest["spec"]["roles"]] == ["ps", "worker"]
    assert made.manifest["spec"]["successRules"] == [{"ranks": {"worker": []}}]
    assert not made.lost


def test_an_mpi_job_needs_no_ssh_any_more() -> None:
    made = read(MPI)
    launcher, worker = made.manifest["spec"]["roles"]
    assert command(launcher) == ["python", "t.py"]
    assert command(worker) == []
    assert made.manifest["spec"]["processesPerReplica"] == 2
    assert made.lost == ["spec.runLauncherAsWorker: True"]


def test_a_train_job() -> None:
    made = read(TRAIN)
    spec = made.manifest["spec"]
    assert (spec["framework"], spec["processesPerReplica"]) == ("pytorch", 4)
    assert spec["roles"][0]["replicas"] == 3
    assert made.lost == ["spec.initializer.model.storageUri: hf://x"]


def test_a_t9k_pytorch_job() -> None:
    made = read(T9K_TORCH)
    spec = made.manifest["spec"]
    assert command(spec["roles"][0]) == ["torchrun", "--tee", "3", "t.py"]
    assert spec["elastic"] == {"min": 1, "max": 5, "role": "node"}
    assert spec["runPolicy"] == {"backoffLimit": 9, "cleanPods": "Unfinished"}
    assert (spec["processesPerReplica"], spec["suspend"]) == (4, True)
    assert (spec["scheduling"], spec["tensorboard"]) == ({"queue": "q"}, {"image": "tb"})
    assert not made.lost
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.scheduler.t9kScheduler.priority",
        "spec.replicaSpecs[0].template.spec.restartPolicy",
        "spec.torchrunConfig.maxRestarts",
        "spec.elastic.expectedReplicas",
        "spec.tensorboardSpec.trainingLogFilesets",
    ]


def test_a_t9k_generic_job() -> None:
    made = read(T9K_GENERIC)
    spec = made.manifest["spec"]
    assert spec["successRules"] == [{"ranks": {"worker": [0]}}]
    assert [rule["ranks"] for rule in spec["failureRules"]] == [{"worker": [0]}, {"worker": [1]}]
    assert spec["runPolicy"] == {"backoffLimit": 3, "cleanPods": "All"}


def test_a_t9k_deepspeed_job() -> None:
    made = read(T9K_DEEPSPEED)
    spec = made.manifest["spec"]
    assert command(spec["roles"][0]) == ["python", "-m", "pkg", "--x"]
    assert (spec["debug"], spec["processesPerReplica"]) == (True, 2)
    assert made.lost == ["spec.config.autotune.kind: run"]


def test_a_t9k_mpi_job() -> None:
    launcher, worker = read(T9K_MPI).manifest["spec"]["roles"]
    assert command(launcher) == [
        "/usr/local/bin/mpirun", "-n", "2", "--bind-to", "none", "./train"
    ]  # fmt: skip
    env = launcher["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "OMPI_MCA_btl", "value": "tcp,self"}]
    assert command(worker) == []


def test_a_t9k_mpi_job_of_2025_names_its_launcher() -> None:
    made = read(T9K_MPI_2025)
    spec = made.manifest["spec"]
    launcher, worker = spec["roles"]
    assert command(launcher) == ["/opt/mpi/bin/mpirun", "-N", "3", "./train", "1"]
    assert launcher["template"]["spec"]["containers"][0]["env"][0]["name"] == "OMPI_MCA_btl"
    assert (worker["replicas"], command(worker)) == (5, [])
    assert spec["processesPerReplica"] == 3
    assert spec["runPolicy"] == {"cleanPods": "All", "backoffLimit": 3}
    assert not made.lost
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.replicaSpecs[1].template.spec.restartPolicy",
        "spec.replicaSpecs[1].template.spec.containers[0].command",
        "spec.ssh.sshAuthMountPath",
    ]


def test_a_t9k_tensorboard_reads_where_a_rank_has_the_claim() -> None:
    made = read(T9K_BOARD)
    assert made.manifest["spec"]["tensorboard"] == {"logDir": "/r/log"}
    assert sorted(made.lost) == [
        "metadata.ownerReferences[0].kind: Workflow",
        "metadata.ownerReferences[0].name: w",
        "spec.tensorboardSpec.logDir.s3.uri: ['s3://x']",
        "spec.tensorboardSpec.resources.limits.cpu: 1",
        "spec.tensorboardSpec.suspend: True",
    ]
    assert made.notes == [
        "spec.tensorboardSpec.logDir.pvc: runs/b: not mounted by the first role, set "
        "tensorboard.logDir"
    ]


def test_a_colossalai_job_is_torchrun_in_every_worker() -> None:
    made = read(T9K_COLOSSAL)
    (worker,) = made.manifest["spec"]["roles"]
    assert command(worker) == ["torchrun", "--tee", "3", "t.py", "x"]
    assert made.manifest["spec"]["processesPerReplica"] == 4
    assert made.lost == ["spec.launcher.image: other", "spec.launcher.workingDir: /w"]


def test_a_beamjob_is_a_cluster_and_a_role_that_submits() -> None:
    made = read(T9K_BEAM)
    spec = made.manifest["spec"]
    manager, tasks, submit = spec["roles"]
    assert [manager["name"], tasks["name"], tasks["replicas"]] == ["jobmanager", "taskmanager", 2]
    assert container(tasks)["image"] == "flink"
    assert "command" not in container(manager)
    assert command(submit) == ["python3"]
    assert container(submit)["args"][0] == "job.py"
    assert container(submit)["args"][-1].startswith("--flink_master=")
    assert spec["successRules"] == [{"ranks": {"submit": [0]}}]
    assert spec["runPolicy"] == {"backoffLimit": 4, "cleanPods": "None"}
    assert spec["processesPerReplica"] == 2
    assert made.lost == []
    assert submit["restartPolicy"] == "OnFailure"


def test_a_beamjob_that_submits_in_a_new_pod_each_time_does_so_here() -> None:
    text = T9K_BEAM.replace("restartPolicy: OnFailure", "restartPolicy: Never")
    made = read(text.replace("backoffLimit: 4", "completions: 1"))
    assert made.manifest["spec"]["roles"][2]["restartPolicy"] == "OnFailure"
    assert made.manifest["spec"]["runPolicy"]["backoffLimit"] == 6
    assert not any("restartPolicy" in note for note in made.notes)


def batch_job(**spec: object) -> Converted:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}
    return convert(
        {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template, **spec}}
    )


def test_an_indexed_job_is_a_rank_for_each_index() -> None:
    made = read(JOB)
    spec = made.manifest["spec"]
    (worker,) = spec["roles"]
    assert (spec["framework"], spec["service"], spec["suspend"]) == ("generic", False, True)
    assert (worker["name"], worker["replicas"], worker["restartPolicy"]) == (
        "worker",
        4,
        "ExitCode",
    )
    assert worker["template"]["metadata"]["labels"] == {"app": "x"}
    assert container(worker)["env"] == [
        {"name": "JOB_COMPLETION_INDEX", "value": "$(ATHANOR_RANK)"},
        {"name": "PART", "value": "$(ATHANOR_RANK)"},
    ]
    assert spec["runPolicy"] == {
        "backoffLimit": 8, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 9,
        "retryableExitCodes": [3, 42],
    }  # fmt: skip
    assert spec["successRules"] == [{"ranks": {"worker": [0, 2, 3]}}]
    assert made.lost == [
        "spec.podFailurePolicy.rules[2].action: FailIndex",
        "spec.podFailurePolicy.rules[2].onExitCodes.operator: In",
        "spec.podFailurePolicy.rules[2].onExitCodes.values: [1]",
        "spec.successPolicy.rules[1].succeededIndexes: 1",
        "spec.successPolicy.rules[1].succeededCount: 1",
    ]
    assert [note.split(":")[0] for note in made.notes] == [
        "spec.backoffLimitPerIndex",
        "spec.podFailurePolicy.rules[0]",
        "spec.podFailurePolicy.rules[1]",
        "spec.selector",
    ]


def test_a_job_that_says_little_keeps_the_defaults_it_had() -> None:
    made = batch_job()
    spec = made.manifest["spec"]
    (worker,) = spec["roles"]
    assert (worker["replicas"], worker["restartPolicy"]) == (1, "OnFailure")
    assert spec["runPolicy"] == {"backoffLimit": 6}
    assert "env" not in container(worker)
    assert not made.lost
    assert not made.notes


@pytest.mark.parametrize(
    ("spec", "ranks", "suspended", "told"),
    [
        ({"parallelism": 3}, 3, False, True),
        ({"parallelism": 0}, 1, True, True),
        ({"completions": 5, "parallelism": 2}, 5, False, True),
        ({"completions": 5}, 5, False, True),
        ({"completions": 2, "parallelism": 9}, 2, False, False),
    ],
)
def test_what_runs_at_a_time_is_told(spec: JSON, ranks: int, suspended: bool, told: bool) -> None:
    made = batch_job(**spec)
    assert made.manifest["spec"]["roles"][0]["replicas"] == ranks
    assert made.manifest["spec"].get("suspend", False) == suspended
    assert any(note.startswith("spec.parallelism: ") for note in made.notes) == told


def test_a_cronjob_is_a_cron_of_its_job() -> None:
    made = read(CRON)
    spec = made.manifest["spec"]
    template = spec.pop("template")
    assert made.manifest["kind"] == "Cron"
    assert made.manifest["metadata"] == {"name": "a", "namespace": "n"}
    assert spec == {
        "schedule": "30 2 * * 1-5", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Forbid",
        "suspend": True, "startingDeadlineSeconds": 60, "successfulHistoryLimit": 0,
        "failedHistoryLimit": 2,
    }  # fmt: skip
    assert template["metadata"] == {"labels": {"team": "x"}}
    assert template["spec"]["runPolicy"] == {"backoffLimit": 6}
    assert command(template["spec"]["roles"][0]) == ["python", "t.py"]
    assert made.lost == ["spec.jobTemplate.spec.managedBy: somebody/else"]
    assert not made.notes


def variables(role: JSON) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(role).get("env", [])}


def test_a_rayjob_is_a_head_that_runs_the_entrypoint_and_its_groups() -> None:
    made = read(RAY)
    spec = made.manifest["spec"]
    head, small, big = spec["roles"]
    assert (spec["framework"], spec["environment"]) == ("ray", {"requirements": ["requests"]})
    assert command(head) == ["sh", "-c", "python t.py --lr 1 && echo done"]
    assert variables(head) == {
        "RAY_CPUS": "0", "RAY_OVERRIDE_RESOURCES": '{"tag": 1}', "LEVEL": "3",
    }  # fmt: skip
    assert command(small) == command(big) == []
    assert "args" not in container(small)
    assert variables(small) == {"LEVEL": "3"}
    assert variables(big)["RAY_OVERRIDE_RESOURCES"] == '{"GPU": 2, "memory": 1024}'
    assert [(one["name"], one.get("replicas", 1)) for one in spec["roles"]] == [
        ("head", 1), ("small", 8), ("big", 3),
    ]  # fmt: skip
    assert spec["elastic"] == {"min": 2, "max": 8, "role": "small"}
    assert made.lost == ["spec.runtimeEnvYAML.working_dir: https://x/y.zip"]
    groups = "spec.rayClusterSpec.workerGroupSpecs"
    assert [note.split(": ")[0] for note in made.notes] == [
        "spec.rayClusterSpec.headGroupSpec.rayStartParams.dashboard-host",
        "spec.rayClusterSpec.headGroupSpec.template.spec.containers[0].env",
        "spec.rayClusterSpec.enableInTreeAutoscaling",
        f"{groups}[0].numOfHosts",
        f"{groups}[0].replicas",
        f"{groups}[0].template.spec.containers[0].args",
        f"{groups}[1].maxReplicas",
        "spec.rayClusterSpec.rayVersion",
    ]


def test_a_rayjob_tries_its_entrypoint_once_unless_it_says_more() -> None:
    """There it is 0 unless said, and workers that fail are never counted."""
    once = read(RAY).manifest["spec"]
    assert once["runPolicy"] == {"activeDeadlineSeconds": 60, "startingDeadlineSeconds": 30}
    assert [one["restartPolicy"] for one in once["roles"]] == ["Never", "OnFailure", "OnFailure"]
    often = read(RAY.replace("ttlSecondsAfterFinished: 0", "backoffLimit: 2")).manifest["spec"]
    assert often["runPolicy"]["backoffLimit"] == 2
    assert often["roles"][0]["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize("said", ["submissionMode: InteractiveMode", "entrypoint: ''"])
def test_a_head_that_is_given_nothing_to_run_waits(said: str) -> None:
    entrypoint = "entrypoint: python t.py --lr 1 && echo done"
    kept = said if said.startswith("entrypoint") else f"{entrypoint}\n  {said}"
    made = read(RAY.replace(entrypoint, kept))
    assert command(made.manifest["spec"]["roles"][0]) == ["sleep", "infinity"]
    assert any(note.startswith("spec.entrypoint: ") for note in made.notes)


@pytest.mark.parametrize("text", ["{", "[1]", "word"])
def test_a_runtime_environment_that_cannot_be_read_is_refused(text: str) -> None:
    spec = {"runtimeEnvYAML": text}
    with pytest.raises(ValueError, match="spec.runtimeEnvYAML"):
        convert({"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": spec})


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


KUEUE = "kueue.x-k8s.io/queue-name: team, kueue.x-k8s.io/priority-class: high"


@pytest.mark.parametrize(
    "text", [KUBEFLOW.replace("queue: q, priorityClass: high, ", ""), TRAIN, JOB,
             RAY.replace("spec:", "spec:\n  suspend: true", 1)]
)  # fmt: skip
def test_a_job_of_kueue_has_its_queue_and_is_held_by_nobody(text: str) -> None:
    document = yaml.safe_load(text)
    document["metadata"]["labels"] = {
        **yaml.safe_load(f"{{{KUEUE}}}"), "kueue.x-k8s.io/max-exec-time-seconds": "60", "team": "x",
    }  # fmt: skip
    made = convert(document)
    assert made.manifest["metadata"]["labels"] == {"team": "x"}
    spec = made.manifest["spec"]
    assert spec["scheduling"].items() >= {
        "queue": "team", "priorityClassName": "high", "maxRuntimeSeconds": 60,
    }.items()  # fmt: skip
    assert "suspend" not in spec
    assert any("suspend: left out: so Kueue holds" in note for note in made.notes)
    assert any("priority-class: high: a PriorityClass" in note for note in made.notes)


def test_a_cronjob_of_kueue_has_the_queue_in_its_template() -> None:
    document = yaml.safe_load(CRON)
    document["spec"]["jobTemplate"]["metadata"] = {"labels": yaml.safe_load(f"{{{KUEUE}}}")}
    template = convert(document).manifest["spec"]["template"]
    assert template["spec"]["scheduling"]["queue"] == "team"
    assert "metadata" not in template


def test_a_queue_of_the_job_itself_holds_against_a_label() -> None:
    made = read(KUBEFLOW.replace("{team: x}", f"{{{KUEUE}}}"))
    assert made.manifest["spec"]["scheduling"] == {"queue": "q", "priorityClassName": "high"}
    assert any("queue-name: team: scheduling.queue is q" in note for note in made.notes)


def test_labels_that_tell_volcano_its_queue_are_read_and_times_that_are_none_refused() -> None:
    labels = "{volcano.sh/queue-name: q, ray.io/priority-class-name: p}"
    ray = yaml.safe_load(RAY)
    ray["metadata"]["labels"] = yaml.safe_load(labels)
    found = convert(ray).manifest["spec"]["scheduling"]
    assert found == {"queue": "q", "priorityClassName": "p"}
    ray["metadata"]["labels"] = {"kueue.x-k8s.io/max-exec-time-seconds": "1h"}
    with pytest.raises(ValueError, match="is not a number of seconds"):
        convert(ray)


def test_the_priority_of_pods_is_the_jobs() -> None:
    pod = {"containers": [{"name": "c", "image": "i"}], "priorityClassName": "urgent"}
    made = batch_job(template={"spec": pod}).manifest
    assert made["spec"]["scheduling"] == {"priorityClassName": "urgent"}


@pytest.mark.parametrize(("when", "field"), [("@every 1h", "schedule"), ("@daily", "timeZone")])
def test_a_schedule_that_cannot_be_read_is_told(when: str, field: str) -> None:
    zone = "Nowhere/Land" if field == "timeZone" else ""
    spec = {"schedule": when, "timeZone": zone, "jobTemplate": {}}
    made = convert({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec})
    assert [note.split(":")[0] for note in made.notes] == [f"spec.{field}"]


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("spec: {replicaSpecs: 3}", "spec.replicaSpecs"),
        ("spec: {replicaSpecs: [7]}", r"spec.replicaSpecs\[0\]"),
        ("spec: {runPolicy: [x]}", "spec.runPolicy"),
        ("spec: {replicaSpecs: [{template: {spec: {containers: x}}}]}", "containers"),
        ("spec: {replicaSpecs: [{}], successRules: [worker]}", "rule 'worker'"),
    ],
)
def test_what_has_another_shape_is_refused_by_its_field(field: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read(f"{{apiVersion: batch.tensorstack.dev/v1beta1, kind: GenericJob, {field}}}")


def test_unknown_kinds_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="TFJob"):
        convert({"apiVersion": "apps/v1", "kind": "Deployment"})


def test_what_is_made_is_accepted_by_the_server() -> None:
    async def main() -> None:
        async with lab.server() as world:
            for number, text in enumerate(EVERY):
                made = read(text).manifest
                meta = {**made["metadata"], "name": f"a{number}", "namespace": "default"}
                kind = Cron if made["kind"] == "Cron" else TrainingJob
                await world.create({**made, "metadata": meta}, kind)

    virtual.run(main)
