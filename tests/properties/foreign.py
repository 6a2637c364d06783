"""Documents of other platforms that say every field their kind has."""

from __future__ import annotations

silent = ("apiVersion", "kind", "status")
"""What names the kind becomes the framework; a status was observed by the old platform."""

_META = """
metadata:
  name: a
  namespace: team
  labels:
    team: x
    kueue.x-k8s.io/queue-name: local
    kueue.x-k8s.io/priority-class: urgent
    kueue.x-k8s.io/max-exec-time-seconds: "60"
  annotations: {note: y}
  finalizers: [somebody/else]
  ownerReferences: [{apiVersion: v1, kind: Workflow, name: w, uid: u}]
"""
_POD = """
          metadata: {labels: {app: x}, annotations: {b: c}}
          spec:
            restartPolicy: OnFailure
            nodeSelector: {disk: ssd}
            tolerations: [{key: gpu, operator: Exists}]
            volumes: [{name: v, persistentVolumeClaim: {claimName: runs}}]
            containers:
            - name: main
              image: i
              command: [python, t.py]
              args: [--lr, "1"]
              workingDir: /w
              env: [{name: A, value: b}]
              resources: {limits: {nvidia.com/gpu: 2}, requests: {cpu: 1}}
              volumeMounts: [{name: v, mountPath: /r, subPath: s}]
            - {name: side, image: j}
"""
_POLICY = """
  runPolicy:
    cleanPodPolicy: Running
    backoffLimit: 2
    activeDeadlineSeconds: 60
    ttlSecondsAfterFinished: 9
    suspend: true
    managedBy: kueue.x-k8s.io/multikueue
    schedulingPolicy:
      {minAvailable: 3, minResources: {cpu: 1}, queue: q, priorityClass: high,
       scheduleTimeoutSeconds: 7}
"""


def _kubeflow(kind: str, field: str, roles: str, more: str = "", version: str = "v1") -> str:
    made = "".join(
        f"    {name}:\n        replicas: {2 if name == 'Worker' else 1}\n"
        f"        restartPolicy: ExitCode\n        template:{_POD}"
        for name in roles.split()
    )
    return (
        f"apiVersion: kubeflow.org/{version}\nkind: {kind}{_META}spec:{_POLICY}{more}"
        f"  {field}:\n{made}status: {{conditions: [{{type: Running}}]}}\n"
    )


_T9K_COMMON = """
  runPolicy: {activeDeadlineSeconds: 60, backoffLimit: 2, cleanUpPolicy: Unfinished}
  runMode:
    debug: {enabled: true, replicaSpecs: [{type: worker, command: [sh], skipInitContainer: true}]}
    pause: {enabled: true, resumeSpecs: [{type: worker, command: [x], args: [y]}]}
  scheduler: {t9kScheduler: {queue: q, priority: 50}}
"""
_BOARD = """
  tensorboardSpec:
    image: tb
    suspend: true
    scheduler: {t9kScheduler: {queue: q}}
    resources: {limits: {cpu: 1}}
    trainingLogFilesets: [t9k://pvc/runs/s/log, t9k://minio/x/y, t9k://pvc/other/z]
    logDir:
      pvc: [{name: runs, subPath: [s/more, nowhere]}]
      s3: {secretRef: {name: key}, uri: ["s3://x"]}
      http: {url: ["http://x"]}
"""


def _t9k(kind: str, more: str, common: str = _T9K_COMMON) -> str:
    version = "batch.tensorstack.dev/v1beta1"
    return f"apiVersion: {version}\nkind: {kind}{_META}spec:{common}{more}\n"


def _replicas(*names: str, policy: str = "ExitCode", more: str = "") -> str:
    made = "".join(
        f"    - type: {name}\n      replicas: 2\n      restartPolicy: {policy}\n{more}"
        f"      template:{_POD}"
        for name in names
    )
    return f"  replicaSpecs:\n{made}"


_LIMITED = "{policy: OnFailure, limit: 3}"
_TORCH = """
  torchrunConfig:
    enabled: true
    maxRestarts: 5
    procPerNode: "4"
    rdzvBackend: etcd
    extraOptions: [--tee, "3"]
  elastic: {enabled: true, minReplicas: 1, maxReplicas: 4, expectedReplicas: 2}
"""
_OFF = _TORCH.replace("true", "false")
_SSH = "  ssh: {sshAuthMountPath: /root/.ssh, sshdPath: /usr/sbin/sshd}\n"
_RUN = """
  config:
    slotsPerWorker: 2
    localRank: false
    autotune: run
    otherArgs: [--flag]
    run: {python: [t.py], module: [m], exec: [e]}
  elastic: {enabled: true, minReplicas: 1, maxReplicas: 4, expectedReplicas: 2}
  disableCustomEnv: true
"""
_ONE = f"  worker:\n      replicas: 2\n      restartPolicy: Always\n      template:{_POD}"
_BEAM = """
  flinkClusterTemplate:
    metadata: {labels: {l: m}, annotations: {n: o}}
    spec:
      flinkVersion: 1.10.1
      image: {name: flink, pullPolicy: Always, pullSecrets: [{name: key}]}
      serviceAccountName: z
      batchSchedulerName: volcano
      jobManager:
        replicas: 1
        accessScope: Cluster
        ports: {ui: 8081}
        ingress: {useTLS: true}
        resources: {limits: {cpu: 1}}
        memoryOffHeapRatio: 25
        podLabels: {p: q}
      taskManager:
        replicas: 2
        resources: {limits: {cpu: 2}}
        volumes: [{name: v, emptyDir: {}}]
        volumeMounts: [{name: v, mountPath: /v}]
        nodeSelector: {disk: ssd}
        tolerations: [{key: gpu, operator: Exists}]
        initContainers: [{name: init, image: i}]
        sidecars: [{name: pool, image: beam, args: [--worker_pool]}]
        podAnnotations: {r: s}
        securityContext: {runAsUser: 9}
      flinkProperties: {taskmanager.numberOfTaskSlots: "2", other.setting: "3"}
      envVars: [{name: A, value: b}]
      envFrom: [{secretRef: {name: e}}]
      hadoopConfig: {configMapName: h, mountPath: /h}
  jobTemplate:
    metadata: {labels: {t: u}}
    spec:
      backoffLimit: 4
      activeDeadlineSeconds: 60
      ttlSecondsAfterFinished: 9
      parallelism: 2
      template:
        spec:
          restartPolicy: OnFailure
          volumes: [{name: v, persistentVolumeClaim: {claimName: runs}}]
          containers:
          - name: submit-job
            image: beam
            command: [python3]
            args: [-m, w]
            volumeMounts: [{name: v, mountPath: /r}]
          - {name: side, image: j}
"""
_JOB = f"""
  completions: 3
  parallelism: 2
  completionMode: Indexed
  backoffLimit: 2
  backoffLimitPerIndex: 1
  maxFailedIndexes: 1
  activeDeadlineSeconds: 60
  ttlSecondsAfterFinished: 9
  suspend: true
  managedBy: kueue.x-k8s.io/multikueue
  manualSelector: true
  selector: {{matchLabels: {{controller-uid: u}}}}
  podReplacementPolicy: TerminatingOrFailed
  podFailurePolicy:
    rules:
    - {{action: Ignore, onPodConditions: [{{type: DisruptionTarget, status: "True"}}]}}
    - {{action: Count, onExitCodes: {{containerName: main, operator: In, values: [4]}}}}
    - {{action: FailJob, onExitCodes: {{operator: NotIn, values: [3, 42]}}}}
    - {{action: FailIndex, onExitCodes: {{operator: NotIn, values: [5]}}}}
    - {{action: FailJob, onPodConditions: [{{type: ConfigIssue, status: "True"}}]}}
  successPolicy:
    rules:
    - {{succeededIndexes: "0,2"}}
    - {{succeededIndexes: "0-2", succeededCount: 1}}
    - {{succeededCount: 2}}
  template:{_POD}"""
_QUEUE = f"""
  completionMode: NonIndexed
  parallelism: 4
  podReplacementPolicy: Failed
  template:{_POD.replace("restartPolicy: OnFailure", "restartPolicy: Never")}
            subdomain: x
"""
_CRON = """
  schedule: "30 2 * * 1-5"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 60
  successfulJobsHistoryLimit: 5
  failedJobsHistoryLimit: 2
  suspend: true
  jobTemplate:
"""


_RAY = f"""
  entrypoint: python t.py
  entrypointNumCpus: 0.5
  entrypointNumGpus: 1
  entrypointResources: '{{"a": 1}}'
  runtimeEnvYAML: "working_dir: https://x/y.zip\\npip: [requests]\\nenv_vars:\\n  A: c"
  jobId: j
  metadata: {{k: v}}
  submissionMode: HTTPMode
  submitterConfig: {{backoffLimit: 3}}
  submitterPodTemplate: {{spec: {{containers: [{{name: s, image: i}}]}}}}
  clusterSelector: {{ray.io/cluster: c}}
  managedBy: ray.io/kuberay-operator
  deletionStrategy: {{onSuccess: {{policy: DeleteCluster}}, onFailure: {{policy: DeleteNone}}}}
  activeDeadlineSeconds: 60
  preRunningDeadlineSeconds: 30
  backoffLimit: 2
  ttlSecondsAfterFinished: 9
  shutdownAfterJobFinishes: true
  suspend: true
  rayClusterSpec:
    rayVersion: 2.52.0
    enableInTreeAutoscaling: true
    suspend: false
    managedBy: ray.io/kuberay-operator
    upgradeStrategy: {{type: Recreate}}
    authOptions: {{mode: token}}
    autoscalerOptions: {{idleTimeoutSeconds: 60, upscalingMode: Default, image: a}}
    headServiceAnnotations: {{a: b}}
    gcsFaultToleranceOptions: {{redisAddress: r, redisPassword: {{value: p}}}}
    historyServerOptions: {{collectorOptions: {{image: c}}}}
    networkPolicy: {{mode: DenyAll, head: {{ingressRules: [{{ports: [{{port: 1}}]}}]}}}}
    tlsOptions: {{enabled: true}}
    headGroupSpec:
      serviceType: ClusterIP
      enableIngress: true
      ingressOptions: {{host: h}}
      headService: {{metadata: {{name: s}}}}
      labels: {{l: m}}
      resources: {{custom: "3", odd: word}}
      rayStartParams:
        {{dashboard-host: 0.0.0.0, num-cpus: "0", num-gpus: "1", object-store-memory: "100",
         memory: 1Gi, resources: '"{{\\"tag\\": 1}}"', labels: l=m, temp-dir: /tmp}}
      template:{_POD}
    workerGroupSpecs:
    - groupName: Small-Group
      replicas: 2
      minReplicas: 0
      maxReplicas: 5
      numOfHosts: 2
      idleTimeoutSeconds: 60
      priority: 1
      suspend: true
      scaleStrategy: {{workersToDelete: [a]}}
      labels: {{l: m}}
      resources: {{CPU: "3"}}
      rayStartParams: {{num-cpus: "2"}}
      template:{_POD}
    - groupName: big
      replicas: 3
      minReplicas: 3
      maxReplicas: 4
      template:{_POD}"""
_RAY_FIXED = f"""
  entrypoint: python t.py
  submissionMode: InteractiveMode
  shutdownAfterJobFinishes: false
  runtimeEnvYAML: "pip: {{packages: [requests], pip_check: true}}\\nenv_vars:\\n  A: c"
  rayClusterSpec:
    enableInTreeAutoscaling: false
    headGroupSpec:
      template:{_POD}
    workerGroupSpecs:
    - {{groupName: w, replicas: 2, minReplicas: 1, maxReplicas: 4}}"""
_VOLCANO = f"""
  schedulerName: volcano
  minAvailable: 3
  minSuccess: 2
  queue: q
  priorityClassName: high
  maxRetry: 5
  ttlSecondsAfterFinished: 9
  runningEstimate: 1h30m0s
  networkTopology: {{mode: hard, highestTierAllowed: 2}}
  plugins:
    PLUGINS
    svc: [--publish-not-ready-addresses=true]
    ssh: [--no-root]
    env: []
    other: [--x]
  volumes:
  - {{mountPath: /in, volumeClaimName: c}}
  - {{mountPath: /out, volumeClaim: {{accessModes: [ReadWriteOnce], storageClassName: s}}}}
  policies:
  - {{event: PodEvicted, action: RestartJob}}
  - {{events: [PodFailed, PodPending], action: AbortJob, timeout: 10m}}
  tasks:
  - name: boss
    replicas: 1
    minAvailable: 1
    policies: [{{event: TaskCompleted, action: CompleteJob}}]
    template:{_POD.replace("[python, t.py]", "[cat, /etc/volcano/w.host]")}
            hostname: x
  - name: w
    replicas: 4
    minAvailable: 2
    maxRetry: 2
    topologyPolicy: best-effort
    dependsOn: {{name: [boss], iteration: any}}
    partitionPolicy: {{totalPartitions: 2, partitionSize: 2, networkTopology: {{mode: soft}}}}
    policies:
    - {{exitCode: 3, action: RestartJob}}
    - {{event: "*", action: RestartTask}}
    template:{_POD.replace("[python, t.py]", "[/usr/sbin/sshd, -D]")}"""


def _batch(kind: str, spec: str) -> str:
    return f"apiVersion: batch/v1\nkind: {kind}{_META}spec:{spec}\nstatus: {{active: 1}}\n"


def _indented(spec: str) -> str:
    return "".join(f"  {line}\n" for line in spec.splitlines() if line)


_ELASTIC = """
  nprocPerNode: "2"
  elasticPolicy:
    minReplicas: 1
    maxReplicas: 4
    rdzvBackend: etcd
    rdzvPort: 29400
    rdzvHost: h
    rdzvId: i
    rdzvConf: [{key: k, value: v}]
    standalone: true
    nProcPerNode: 3
    maxRestarts: 5
    metrics: [{type: Resource}]
"""

DOCUMENTS = {
    "PyTorchJob": _kubeflow("PyTorchJob", "pytorchReplicaSpecs", "Master Worker", _ELASTIC),
    "PyTorchJob auto": _kubeflow(
        "PyTorchJob", "pytorchReplicaSpecs", "Worker", "  nprocPerNode: auto\n"
    ),
    "TFJob": _kubeflow(
        "TFJob", "tfReplicaSpecs", "Chief PS Worker",
        "  successPolicy: AllWorkers\n  enableDynamicWorker: true\n",
    ),
    "XGBoostJob": _kubeflow("XGBoostJob", "xgbReplicaSpecs", "Master Worker"),
    "JAXJob": _kubeflow("JAXJob", "jaxReplicaSpecs", "Worker"),
    "MPIJob v1": _kubeflow(
        "MPIJob", "mpiReplicaSpecs", "Launcher Worker",
        "  slotsPerWorker: 2\n  cleanPodPolicy: All\n  mainContainer: main\n",
    ),
    "MPIJob v2beta1": _kubeflow(
        "MPIJob", "mpiReplicaSpecs", "Launcher Worker",
        "  slotsPerWorker: 2\n  runLauncherAsWorker: false\n  sshAuthMountPath: /home/x/.ssh\n"
        "  launcherCreationPolicy: AtStartup\n  mpiImplementation: Intel\n",
        "v2beta1",
    ).replace("[python, t.py]", "[/usr/sbin/sshd, -De]"),
    "TrainJob": f"""
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob{_META}
spec:
  runtimeRef: {{name: torch-distributed, kind: ClusterTrainingRuntime, apiGroup: x}}
  suspend: true
  activeDeadlineSeconds: 60
  managedBy: y
  labels: {{l: m}}
  annotations: {{n: o}}
  initializer:
    dataset: {{storageUri: "hf://d", env: [{{name: A, value: b}}], secretRef: {{name: s}}}}
    model: {{storageUri: "hf://m"}}
  podTemplateOverrides: [{{targetJobs: [{{name: node}}], spec: {{serviceAccountName: z}}}}]
  runtimePatches: [{{manager: me, trainingRuntimeSpec: {{template: {{metadata: {{}}}}}}}}]
  trainer:
    image: i
    command: [torchrun, t.py]
    args: [x]
    env: [{{name: A, value: b}}]
    numNodes: 3
    numProcPerNode: 4
    resourcesPerNode: {{limits: {{nvidia.com/gpu: 4}}}}
""",
    "PyTorchTrainingJob": _t9k(
        "PyTorchTrainingJob",
        _TORCH + _BOARD + _replicas("node", more="      scalingWeight: 2\n"),
    ),
    "PyTorchTrainingJob plain": _t9k(
        "PyTorchTrainingJob", _OFF + _replicas("master", "worker", policy=_LIMITED)
    ),
    "TensorFlowTrainingJob": _t9k("TensorFlowTrainingJob", _BOARD + _replicas("worker", "ps")),
    "XGBoostTrainingJob": _t9k("XGBoostTrainingJob", _replicas("master", "worker")),
    "GenericJob": _t9k(
        "GenericJob",
        "  cleanUpPolicy: All\n  successRules: [{worker: [0]}]\n"
        "  failureRules: [{worker: [0]}, {worker: [1]}]\n"
        "  service: {ports: [{port: 80, name: http}], type: ClusterIP}\n"
        + _replicas("worker", policy=_LIMITED),
    ),
    "DeepSpeedJob": _t9k("DeepSpeedJob", _RUN + _ONE),
    "DeepSpeedJob custom": _t9k(
        "DeepSpeedJob", _RUN.replace("localRank: false", "customCommand: ./run.sh") + _ONE
    ),
    "MPIJob 2024": _t9k(
        "MPIJob",
        "  mpiHome: /usr/local\n  mca: {btl: self}\n" + _SSH + _ONE
        + "      cmd: [./train]\n      extraMPIArgs: [-N, '3']\n",
        "\n  runPolicy: {cleanUpWorkers: true}\n",
    ),
    "MPIJob 2025": _t9k(
        "MPIJob",
        "  mpiConfig: {mca: {btl: self}, home: /o, extraArgs: [--bind-to, none], script: [./t]}\n"
        + _SSH + _replicas("launcher", "worker", policy=_LIMITED),
        "\n  runPolicy: {cleanUpWorkers: true}\n",
    ),
    "MPIJob without script": _t9k(
        "MPIJob", "  mpiConfig: {home: /o, extraArgs: [-x]}\n" + _replicas("launcher", "worker")
    ),
    "BeamJob": _t9k("BeamJob", _BEAM),
    "BeamJob plain": _t9k(
        "BeamJob", _BEAM.replace("args: [-m, w]", "args: [--runner=x]"),
        "\n  runPolicy: {cleanUpCluster: true}\n",
    ),
    "Job": _batch("Job", _JOB),
    "Job of a queue": _batch("Job", _QUEUE),
    "CronJob": _batch(
        "CronJob",
        _CRON + "    metadata: {labels: {l: m}, finalizers: [f]}\n    spec:\n"
        + _indented(_indented(_JOB)),
    ),
    "RayJob": f"apiVersion: ray.io/v1\nkind: RayJob{_META}spec:{_RAY}\n",
    "RayJob of a fixed size": f"apiVersion: ray.io/v1\nkind: RayJob{_META}spec:{_RAY_FIXED}\n",
    **{
        f"Volcano Job {name}": f"apiVersion: batch.volcano.sh/v1alpha1\nkind: Job{_META}"
        f"spec:{_VOLCANO.replace('PLUGINS', plugins)}\nstatus: {{running: 1}}\n"
        for name, plugins in {
            "generic": "hcclrank: []", "mpi": "mpi: [--master=boss, --worker=w, --port=22]",
            "pytorch": "pytorch: [--master=boss, --worker=w]",
            "tensorflow": "tensorflow: [--chief=boss, --worker, w]",
        }.items()
    },
    "ColossalAIJob 2024": _t9k(
        "ColossalAIJob",
        "  ssh: {authMountPath: /root/.ssh, sshdPath: /s}\n"
        "  launcher: {image: l, workingDir: /w, env: [{name: A, value: b}]}\n" + _ONE
        + "      command: [t.py]\n      torchArgs: [--tee]\n      procPerWorker: 4\n",
        "\n  runPolicy: {cleanUpWorkers: true}\n",
    ),
    "ColossalAIJob 2025": _t9k(
        "ColossalAIJob",
        "  torchConfig: {script: [t.py], extraArgs: [--tee], procPerWorker: 4}\n"
        + _replicas("launcher", "worker", policy=_LIMITED),
    ),
}  # fmt: skip
"""Name → YAML. Each kind in all its shapes, with the fields of its API reference."""
