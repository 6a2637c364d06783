"""Types of pods and their parts in core/v1, without volumes.

The format is described in `table.py`.
"""

TEXT = """\
Affinity: nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAntiAffinity
AppArmorProfile: localhostProfile:s type!:s(Localhost|RuntimeDefault|Unconfined)
Capabilities: add:[s]a drop:[s]a
ConfigMapEnvSource: name:s optional:b
ConfigMapKeySelector@: key!:s name:s optional:b
Container: args:[s]a command:[s]a env:[EnvVar]{name}+name envFrom:[EnvFromSource]a image:s
 imagePullPolicy:s(Always|IfNotPresent|Never) lifecycle:Lifecycle livenessProbe:Probe name!:s
 ports:[ContainerPort]{containerPort,protocol}+containerPort readinessProbe:Probe
 resizePolicy:[ContainerResizePolicy]a resources:ResourceRequirements restartPolicy:s
 restartPolicyRules:[ContainerRestartRule]a securityContext:SecurityContext startupProbe:Probe
 stdin:b stdinOnce:b terminationMessagePath:s
 terminationMessagePolicy:s(FallbackToLogsOnError|File) tty:b
 volumeDevices:[VolumeDevice]{devicePath}+devicePath
 volumeMounts:[VolumeMount]{mountPath}+mountPath workingDir:s
ContainerExtendedResourceRequest: containerName!:s requestName!:s resourceName!:s
ContainerPort: containerPort!:i hostIP:s hostPort:i name:s protocol:s(SCTP|TCP|UDP)=TCP
ContainerResizePolicy: resourceName!:s restartPolicy!:s
ContainerRestartRule: action!:s exitCodes:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes: operator!:s values:[i]u
ContainerState: running:ContainerStateRunning terminated:ContainerStateTerminated
 waiting:ContainerStateWaiting
ContainerStateRunning: startedAt:t
ContainerStateTerminated: containerID:s exitCode!:i finishedAt:t message:s reason:s signal:i
 startedAt:t
ContainerStateWaiting: message:s reason:s
ContainerStatus: allocatedResources:<q> allocatedResourcesStatus:[ResourceStatus]{name}+name
 containerID:s image!:s imageID!:s lastState:ContainerState name!:s ready!:b
 resources:ResourceRequirements restartCount!:i started:b state:ContainerState stopSignal:s
 user:ContainerUser volumeMounts:[VolumeMountStatus]{mountPath}+mountPath
ContainerUser: linux:LinuxContainerUser
EnvFromSource: configMapRef:ConfigMapEnvSource prefix:s secretRef:SecretEnvSource
EnvVar: name!:s value:s valueFrom:EnvVarSource
EnvVarSource: configMapKeyRef:ConfigMapKeySelector fieldRef:ObjectFieldSelector
 fileKeyRef:FileKeySelector resourceFieldRef:ResourceFieldSelector secretKeyRef:SecretKeySelector
EphemeralContainer: args:[s]a command:[s]a env:[EnvVar]{name}+name envFrom:[EnvFromSource]a
 image:s imagePullPolicy:s(Always|IfNotPresent|Never) lifecycle:Lifecycle livenessProbe:Probe
 name!:s ports:[ContainerPort]{containerPort,protocol}+containerPort readinessProbe:Probe
 resizePolicy:[ContainerResizePolicy]a resources:ResourceRequirements restartPolicy:s
 restartPolicyRules:[ContainerRestartRule]a securityContext:SecurityContext startupProbe:Probe
 stdin:b stdinOnce:b targetContainerName:s terminationMessagePath:s
 terminationMessagePolicy:s(FallbackToLogsOnError|File) tty:b
 volumeDevices:[VolumeDevice]{devicePath}+devicePath
 volumeMounts:[VolumeMount]{mountPath}+mountPath workingDir:s
ExecAction: command:[s]a
FileKeySelector@: key!:s optional:b path!:s volumeName!:s
GRPCAction: port!:i service:s
HTTPGetAction: host:s httpHeaders:[HTTPHeader]a path:s port!:x scheme:s(HTTP|HTTPS)
HTTPHeader: name!:s value!:s
HostAlias: hostnames:[s]a ip!:s
HostIP: ip!:s
Lifecycle: postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:s
LifecycleHandler: exec:ExecAction httpGet:HTTPGetAction sleep:SleepAction
 tcpSocket:TCPSocketAction
LinuxContainerUser: gid!:l supplementalGroups:[l]a uid!:l
LocalObjectReference@: name:s
NodeAffinity: preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]a
 requiredDuringSchedulingIgnoredDuringExecution:NodeSelector
NodeAllocatableResourceClaimStatus: containers:[s]u resourceClaimName!:s resources!:<q>
NodeSelector@: nodeSelectorTerms!:[NodeSelectorTerm]a
NodeSelectorRequirement: key!:s operator!:s(DoesNotExist|Exists|Gt|In|Lt|NotIn) values:[s]a
NodeSelectorTerm@: matchExpressions:[NodeSelectorRequirement]a
 matchFields:[NodeSelectorRequirement]a
ObjectFieldSelector@: apiVersion:s fieldPath!:s
Pod: apiVersion:s kind:s metadata:meta.ObjectMeta spec:PodSpec status:PodStatus
PodAffinity: preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]a
 requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]a
PodAffinityTerm: labelSelector:meta.LabelSelector matchLabelKeys:[s]a mismatchLabelKeys:[s]a
 namespaceSelector:meta.LabelSelector namespaces:[s]a topologyKey!:s
PodAntiAffinity: preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]a
 requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]a
PodCondition: lastProbeTime:t lastTransitionTime:t message:s observedGeneration:l reason:s
 status!:s type!:s
PodDNSConfig: nameservers:[s]a options:[PodDNSConfigOption]a searches:[s]a
PodDNSConfigOption: name:s value:s
PodExtendedResourceClaimStatus: requestMappings!:[ContainerExtendedResourceRequest]a
 resourceClaimName!:s
PodIP: ip!:s
PodOS: name!:s
PodReadinessGate: conditionType!:s
PodResourceClaim: name!:s resourceClaimName:s resourceClaimTemplateName:s
PodResourceClaimStatus: name!:s resourceClaimName:s
PodSchedulingGate: name!:s
PodSchedulingGroup: podGroupName:s
PodSecurityContext: appArmorProfile:AppArmorProfile fsGroup:l
 fsGroupChangePolicy:s(Always|OnRootMismatch) runAsGroup:l runAsNonRoot:b runAsUser:l
 seLinuxChangePolicy:s seLinuxOptions:SELinuxOptions seccompProfile:SeccompProfile
 supplementalGroups:[l]a supplementalGroupsPolicy:s(Merge|Strict) sysctls:[Sysctl]a
 windowsOptions:WindowsSecurityContextOptions
PodSpec: activeDeadlineSeconds:l affinity:Affinity automountServiceAccountToken:b
 containers!:[Container]{name}+name dnsConfig:PodDNSConfig
 dnsPolicy:s(ClusterFirst|ClusterFirstWithHostNet|Default|None) enableServiceLinks:b
 ephemeralContainers:[EphemeralContainer]{name}+name hostAliases:[HostAlias]{ip}+ip hostIPC:b
 hostNetwork:b hostPID:b hostUsers:b hostname:s hostnameOverride:s
 imagePullSecrets:[LocalObjectReference]{name}+name initContainers:[Container]{name}+name
 nodeName:s nodeSelector:<s>a os:PodOS overhead:<q> preemptionPolicy:s(Never|PreemptLowerPriority)
 priority:i priorityClassName:s readinessGates:[PodReadinessGate]a
 resourceClaims:[PodResourceClaim]{name}+name* resources:ResourceRequirements
 restartPolicy:s(Always|Never|OnFailure) runtimeClassName:s schedulerName:s
 schedulingGates:[PodSchedulingGate]{name}+name schedulingGroup:PodSchedulingGroup
 securityContext:PodSecurityContext serviceAccount:s serviceAccountName:s setHostnameAsFQDN:b
 shareProcessNamespace:b subdomain:s terminationGracePeriodSeconds:l tolerations:[Toleration]a
 topologySpreadConstraints:[TopologySpreadConstraint]{topologyKey,whenUnsatisfiable}+topologyKey
 volumes:[Volume]{name}+name*
PodStatus: allocatedResources:<q> conditions:[PodCondition]{type}+type
 containerStatuses:[ContainerStatus]a ephemeralContainerStatuses:[ContainerStatus]a
 extendedResourceClaimStatus:PodExtendedResourceClaimStatus hostIP:s hostIPs:[HostIP]a+ip
 initContainerStatuses:[ContainerStatus]a message:s
 nodeAllocatableResourceClaimStatuses:[NodeAllocatableResourceClaimStatus]a nominatedNodeName:s
 observedGeneration:l phase:s(Failed|Pending|Running|Succeeded|Unknown) podIP:s
 podIPs:[PodIP]{ip}+ip qosClass:s(BestEffort|Burstable|Guaranteed) reason:s resize:s
 resourceClaimStatuses:[PodResourceClaimStatus]{name}+name* resources:ResourceRequirements
 startTime:t
PodTemplate: apiVersion:s kind:s metadata:meta.ObjectMeta template:PodTemplateSpec
PodTemplateSpec: metadata:meta.ObjectMeta spec:PodSpec
PreferredSchedulingTerm: preference!:NodeSelectorTerm weight!:i
Probe: exec:ExecAction failureThreshold:i grpc:GRPCAction httpGet:HTTPGetAction
 initialDelaySeconds:i periodSeconds:i successThreshold:i tcpSocket:TCPSocketAction
 terminationGracePeriodSeconds:l timeoutSeconds:i
ResourceClaim: name!:s request:s
ResourceFieldSelector@: containerName:s divisor:q resource!:s
ResourceHealth: health:s message:s resourceID!:s
ResourceRequirements: claims:[ResourceClaim]{name} limits:<q> requests:<q>
ResourceStatus: name!:s resources:[ResourceHealth]{resourceID}
SELinuxOptions: level:s role:s type:s user:s
SeccompProfile: localhostProfile:s type!:s(Localhost|RuntimeDefault|Unconfined)
SecretEnvSource: name:s optional:b
SecretKeySelector@: key!:s name:s optional:b
SecurityContext: allowPrivilegeEscalation:b appArmorProfile:AppArmorProfile
 capabilities:Capabilities privileged:b procMount:s(Default|Unmasked) readOnlyRootFilesystem:b
 runAsGroup:l runAsNonRoot:b runAsUser:l seLinuxOptions:SELinuxOptions
 seccompProfile:SeccompProfile windowsOptions:WindowsSecurityContextOptions
SleepAction: seconds!:l
Sysctl: name!:s value!:s
TCPSocketAction: host:s port!:x
Toleration: effect:s(NoExecute|NoSchedule|PreferNoSchedule) key:s operator:s(Equal|Exists|Gt|Lt)
 tolerationSeconds:l value:s
TopologySpreadConstraint: labelSelector:meta.LabelSelector matchLabelKeys:[s]a maxSkew!:i
 minDomains:i nodeAffinityPolicy:s(Honor|Ignore) nodeTaintsPolicy:s(Honor|Ignore) topologyKey!:s
 whenUnsatisfiable!:s(DoNotSchedule|ScheduleAnyway)
TypedLocalObjectReference@: apiGroup:s kind!:s name!:s
TypedObjectReference: apiGroup:s kind!:s name!:s namespace:s
WeightedPodAffinityTerm: podAffinityTerm!:PodAffinityTerm weight!:i
WindowsSecurityContextOptions: gmsaCredentialSpec:s gmsaCredentialSpecName:s hostProcess:b
 runAsUserName:s
"""
