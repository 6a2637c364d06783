"""Specs of every kind of job that are wrong in one place each: what is changed, and to what.

A line is a path in the spec and its wrong value, as YAML; the rest of the spec is GOOD.
"""

from __future__ import annotations

from collections.abc import Mapping

_TEMPLATE = """
kind: TrainingJob
spec: {framework: generic, roles: [{template: {spec: {containers: [{name: main, image: host}]}}}]}
"""

GOOD: Mapping[str, str] = {
    "TrainingJob": """
framework: generic
roles:
- {name: worker, replicas: 2, template: {spec: {containers: [{name: main, image: host}]}}}
""",
    "Cron": f"schedule: '0 3 * * *'\ntemplate: {{{_TEMPLATE.strip().replace(chr(10), ', ')}}}\n",
    "Sweep": f"""
parameters: [{{name: lr, min: 0.1, max: 1.0}}, {{name: opt, type: Choice, choices: [a, b]}}]
objective: {{metric: loss}}
template: {{{_TEMPLATE.strip().replace(chr(10), ", ")}}}
""",
    "Workflow": f"""
parameters: [{{name: n}}]
steps:
- {{name: a, template: {{{_TEMPLATE.strip().replace(chr(10), ", ")}}}}}
- {{name: b, dependsOn: [a], template: {{{_TEMPLATE.strip().replace(chr(10), ", ")}}}}}
""",
    "Workspace": "app: jupyter\n",
    "Queue": "pools: [{pool: default, guaranteed: {cpu: 1}, limit: {cpu: 4}}]\n",
}

WRONG: Mapping[str, str] = {
    "TrainingJob": """
progressPattern: 3
progressPattern: 'epoch [0-9]+'
service: 'no'
framework: caffe
framework: 7
framework: ''
roles: []
roles: worker
roles: {worker: 2}
roles.0: {name: worker, replicas: 0, template: {spec: {containers: [{name: main}]}}}
roles.0.name: Worker
roles.0.name: ''
roles.0.name: -a
roles.0.name: a_b
roles.0.name: 5
roles.0.name: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg
roles.0.replicas: -1
roles.0.replicas: two
roles.0.replicas: 1.5
roles.0.replicas: 20001
roles.0.replicas: [2]
roles.0.restartPolicy: Sometimes
roles.0.restartPolicy: never
roles.0.restartPolicy: {policy: Never}
roles.0.template: {}
roles.0.template: pod
roles.0.template.spec: {}
roles.0.template.spec: []
roles.0.template.metadata: x
roles.0.template.spec.containers: []
roles.0.template.spec.containers: main
roles.0.template.spec.containers: [main]
roles.0.template.spec.terminationGracePeriodSeconds: -1
roles.0.template.spec.terminationGracePeriodSeconds: 1m
roles.0.template.spec.containers.0: {image: host}
roles.0.template.spec.containers.0.name: Main_1
roles.0.template.spec.containers.0.name: 1
roles.0.template.spec.containers.0.image: [host]
roles.0.template.spec.containers.0.command: python t.py
roles.0.template.spec.containers.0.command: [python, 1]
roles.0.template.spec.containers.0.args: --lr 1
roles.0.template.spec.containers.0.args: [[a]]
roles.0.template.spec.containers.0.workingDir: 5
roles.0.template.spec.containers.0.env: {A: b}
roles.0.template.spec.containers.0.env: [{name: A, value: 1}]
roles.0.template.spec.containers.0.env: [{name: A, value: true}]
roles.0.template.spec.containers.0.env: [{value: '1'}]
roles.0.template.spec.containers.0.env: [{name: ''}]
roles.0.template.spec.containers.0.env: [{name: A=b}]
roles.0.template.spec.containers.0.env: [{name: Größe}]
roles.0.template.spec.containers.0.resources: {limits: {memory: -1Gi}}
roles.0.template.spec.containers.0.resources: {requests: {cpu: -1}}
roles.0.template.spec.containers.0.env: [A=b]
roles.0.template.spec.containers.0.resources: {limits: {memory: 16 GB}}
roles.0.template.spec.containers.0.resources: {requests: {cpu: many}}
roles.0.template.spec.containers.0.resources: {requests: {cpu: [1]}}
roles.0.template.spec.containers.0.resources: {limits: 4}
roles.0.template.spec.containers.0.resources: 4
roles.0.gpu: {milli: -5}
roles.0.gpu: {milli: half}
roles.0.gpu: a100
roles.0.gpu: {models: a100}
roles.0.topology: rack
roles.0.topology: {required: [rack]}
processesPerReplica: 0
processesPerReplica: -4
processesPerReplica: auto
runPolicy: none
runPolicy.backoffLimit: -1
runPolicy.backoffLimit: unlimited
runPolicy.activeDeadlineSeconds: 0
runPolicy.activeDeadlineSeconds: 2h
runPolicy.startingDeadlineSeconds: 0
runPolicy.startingDeadlineSeconds: -1
runPolicy.ttlSecondsAfterFinished: -1
runPolicy.ttlSecondsAfterFinished: 1d
runPolicy.cleanPods: Some
runPolicy.cleanPods: true
runPolicy.retryableExitCodes: [0]
runPolicy.retryableExitCodes: [256]
runPolicy.retryableExitCodes: 3
runPolicy.retryableExitCodes: ['3']
runPolicy.restarts: -1
runPolicy.restarts: once
successRules: worker
successRules: [{}]
successRules: [worker]
successRules: [{ranks: {}}]
successRules: [{ranks: {nobody: []}}]
successRules: [{ranks: {worker: [9]}}]
successRules: [{ranks: {worker: 0}}]
successRules: [{ranks: {worker: ['0']}}]
failureRules: [{ranks: {}}]
failureRules: [{ranks: {nobody: [0]}}]
failureRules: [{ranks: {worker: [-1]}}]
failureRules: [{ranks: {worker: [2]}}]
failureRules: {worker: [0]}
elastic: true
elastic: {min: 1}
elastic: {max: 2}
elastic: {min: 3, max: 2}
elastic: {min: 0, max: 2}
elastic: {min: 1, max: many}
elastic: {min: 1, max: 2, role: nobody}
elastic: {min: 1, max: 2, role: Worker}
suspend: 'yes'
suspend: 1
debug: 'on'
environment: venv
environment.interpreter: 3.12
environment.requirements: torch
environment.requirements: [1]
code: ./here
code: {bundle: 'sha256:12'}
code: {bundle: latest}
code: {ref: main}
code: {git: 'https://a/b', directory: /x}
code: {git: [a]}
outputs: here
outputs: ../up
outputs: 7
tensorboard: true
tensorboard: {logDir: runs}
tensorboard: {stopAfterSeconds: -1}
tensorboard: {stopAfterSeconds: 1h}
checkpoints: /here
checkpoints: {directory: here}
checkpoints: {graceSeconds: -1}
checkpoints: {enabled: 'yes'}
scheduling: default
scheduling.queue: [a]
scheduling.priorityClassName: 1000
scheduling.preemptible: 'no'
scheduling.pools: fast
scheduling.pools: [1]
scheduling.maxRuntimeSeconds: 999999999999
scheduling.estimatedRuntimeSeconds: 999999999999
scheduling.maxRuntimeSeconds: 0
scheduling.maxRuntimeSeconds: 1h
scheduling.estimatedRuntimeSeconds: 0
scheduling.estimatedRuntimeSeconds: 1h
""",
    "Cron": """
schedule: ''
schedule: daily
schedule: '61 * * * *'
schedule: '* 24 * * *'
schedule: '* * 0 * *'
schedule: '* * 32 * *'
schedule: '* * * 13 *'
schedule: '* * * * 8'
schedule: '* * * *'
schedule: '* * * * * *'
schedule: '*/0 * * * *'
schedule: '@never'
schedule: 5
timeZone: Mars/Olympus
timeZone: '+02:00'
timeZone: Local
timeZone: 2
concurrencyPolicy: Queue
concurrencyPolicy: allow
startingDeadlineSeconds: 0
startingDeadlineSeconds: 1m
catchUp: Some
successfulHistoryLimit: -1
failedHistoryLimit: -1
failedHistoryLimit: all
suspend: 'true'
template: {}
template: job
template.kind: Pod
template.kind: Cron
template.metadata: x
template.spec: x
template.spec: {}
template.spec.framework: caffe
template.spec.roles: []
""",
    "Sweep": """
parameters: []
parameters: {lr: [0, 1]}
parameters.0: {name: lr}
parameters.0: {name: lr, min: 1}
parameters.0: {name: lr, max: 1}
parameters.0: {name: lr, min: 2, max: 1}
parameters.0: {name: lr, min: a, max: b}
parameters.0: {name: lr, type: Log, min: 1, max: 2}
parameters.0: {name: lr, type: Choice}
parameters.0: {name: lr, type: Choice, choices: []}
parameters.0: {name: lr, type: Choice, choices: [[1]]}
parameters.0: {name: lr, min: 0, max: 1, log: true}
parameters.0: {name: lr, min: -1, max: 1, log: true}
parameters.0: {name: lr, min: 0, max: 1, step: 0}
parameters.0: {name: lr, min: 0, max: 1, step: -0.1}
parameters.0: {name: lr, type: Int, min: 0.5, max: 3}
parameters.0: {name: lr, min: 0, max: 1, when: {parameter: nobody, values: [a]}}
parameters.0: {name: lr, min: 0, max: 1, when: {parameter: lr, values: [a]}}
parameters.0: {name: lr, min: 0, max: 1, when: {parameter: opt, values: []}}
parameters.0: {name: opt, min: 0, max: 1}
parameters.0.name: ''
parameters.0.name: learning rate
parameters.0.name: 1st
objective: loss
objective: {}
objective.metric: ''
objective.metric: 5
objective.goal: Min
algorithm: TPE
algorithm.name: Bayes
algorithm.seed: -1
algorithm.startup: -1
earlyStop: ASHA
earlyStop.name: Hyperband
earlyStop.minSteps: 0
earlyStop.reduction: 1
earlyStop.reduction: 17
maxTrials: 0
maxTrials: 2001
maxTrials: many
parallelism: 0
parallelism: 501
maxFailed: -1
budget: 5
budget: {}
budget.gpuHours: lots
budget.gpuHours: -1
suspend: 'no'
ttlSecondsAfterFinished: -1
template: {}
template.kind: Deployment
template.spec: {}
template.spec.framework: caffe
template.spec.roles: []
""",
    "Workflow": """
parameters: n
parameters: [{name: ''}]
parameters: [{name: n}, {name: n}]
parameters: [{name: n, value: 5}]
parameters.0.name: a b
steps: []
steps: {a: {}}
steps.0.name: A
steps.0.name: ''
steps.0.name: b
steps.0.name: aaaaaaaaaabbbbbbbbbbccccccccccd
steps.0.dependsOn: b
steps.0.dependsOn: [nobody]
steps.0.dependsOn: [a]
steps.0.dependsOn: [b]
steps.0.when: true
steps.0.withItems: abc
steps.0.withItems: [[1]]
steps.0: {name: a, withItems: [1], withParam: '${parameters.n}', template: {spec: {}}}
steps.0.parallelism: -1
steps.0.retries: 3
steps.0.retries: {limit: 21}
steps.0.retries: {limit: -1}
steps.0.retries: {backoffSeconds: -1}
steps.0.continueOnFailure: 'yes'
steps.0.template: {}
steps.0.template: echo
steps.0.template.kind: Job
steps.0.template.spec: {}
steps.0.template.spec.framework: caffe
steps.0.template.spec.roles: []
onExit: cleanup
onExit: {name: end}
onExit: {name: End, template: {spec: {}}}
parallelism: -1
parallelism: many
suspend: 'no'
resumes: -1
ttlSecondsAfterFinished: -1
""",
    "Workspace": """
app: vim
app: ''
command: bash
command: [1]
image: 5
env: [A=b]
env: {A: 1}
requests: {cpu: many}
requests: {memory: 16 GB}
requests: 4
gpu: 1
gpu: {milli: half}
gpu: {milli: -1}
storage: big
storage: -1Gi
storage: []
mounts: /data
mounts: [1]
idle: 30m
idle.afterSeconds: -1
idle.afterSeconds: 30m
idle.stopAfterSeconds: -1
idle: {afterSeconds: 100, stopAfterSeconds: 50}
hours: 9-17
hours.start: nine
hours.start: '* 24 * * *'
hours.stop: '61 * * * *'
hours.timeZone: Mars/X
stopped: 'yes'
starts: -1
scheduling: default
scheduling.maxRuntimeSeconds: 0
template: pod
""",
    "Queue": """
parent: 5
pools: default
pools: [default]
pools.0: {guaranteed: {cpu: 1}}
pools.0.guaranteed: 8
pools.0.guaranteed: {cpu: -1}
pools.0.guaranteed: {cpu: '-1'}
pools.0.limit: {memory: -1Gi}
pools.0.limit: {cpu: many}
pools.0.spillAfterSeconds: -1
userLimit: {cpu: -1}
budget: {gpuHours: -1}
budget: {gpuHours: '-0.5'}
budget: {gpuHours: 5, period: Year}
fairShare.weight: 0
ordering: LIFO
state: Paused
""",
}
