"""Manifests of other platforms, and how tests look at what becomes of them."""

from __future__ import annotations

import yaml

from athanor.api.meta import JSON
from athanor.sdk.foreign.convert import Converted, convert

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


def batch_job(**spec: object) -> Converted:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}
    return convert(
        {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template, **spec}}
    )


def variables(role: JSON) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(role).get("env", [])}
