"""Types of io.k8s.api.batch.v1.

The format is described in `table.py`.
"""

TEXT = """\
CronJob: apiVersion:s kind:s metadata:meta.ObjectMeta spec!:CronJobSpec status:CronJobStatus
CronJobSpec: concurrencyPolicy:s(Allow|Forbid|Replace) failedJobsHistoryLimit:i
 jobTemplate!:JobTemplateSpec schedule!:s startingDeadlineSeconds:l successfulJobsHistoryLimit:i
 suspend:b timeZone:s
CronJobStatus: active:[core.ObjectReference]a lastScheduleTime:t lastSuccessfulTime:t
Job: apiVersion:s kind:s metadata:meta.ObjectMeta spec:JobSpec status:JobStatus
JobCondition: lastProbeTime:t lastTransitionTime:t message:s reason:s status!:s type!:s
JobSpec: activeDeadlineSeconds:l backoffLimit:i backoffLimitPerIndex:i
 completionMode:s(Indexed|NonIndexed) completions:i managedBy:s manualSelector:b
 maxFailedIndexes:i parallelism:i podFailurePolicy:PodFailurePolicy
 podReplacementPolicy:s(Failed|TerminatingOrFailed) selector:meta.LabelSelector
 successPolicy:SuccessPolicy suspend:b template!:core.PodTemplateSpec ttlSecondsAfterFinished:i
JobStatus: active:i completedIndexes:s completionTime:t conditions:[JobCondition]a+type failed:i
 failedIndexes:s ready:i startTime:t succeeded:i terminating:i
 uncountedTerminatedPods:UncountedTerminatedPods
JobTemplateSpec: metadata:meta.ObjectMeta spec:JobSpec
PodFailurePolicy: rules!:[PodFailurePolicyRule]a
PodFailurePolicyOnExitCodesRequirement: containerName:s operator!:s(In|NotIn) values!:[i]u
PodFailurePolicyOnPodConditionsPattern: status:s type!:s
PodFailurePolicyRule: action!:s(Count|FailIndex|FailJob|Ignore)
 onExitCodes:PodFailurePolicyOnExitCodesRequirement
 onPodConditions:[PodFailurePolicyOnPodConditionsPattern]a
SuccessPolicy: rules!:[SuccessPolicyRule]a
SuccessPolicyRule: succeededCount:i succeededIndexes:s
UncountedTerminatedPods: failed:[s]u succeeded:[s]u
"""
