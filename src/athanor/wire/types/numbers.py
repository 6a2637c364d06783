"""Protobuf field numbers of the built-in types, as facts of the Kubernetes 1.36 API.

    table.Type: field field @N field >Inlined …

Fields in the order of their numbers, from 1; `@N` says that the next one is number N. A `*` field
may be set to nothing ("", 0, an empty message); others are unset then. `>Inlined` is a message
whose fields JSON has in the outer object. Types of fields stand in the type tables.
"""

TEXT = """\
authentication.BoundObjectReference: kind apiVersion name uid
authentication.SelfSubjectReview: metadata status
authentication.SelfSubjectReviewStatus: userInfo
authentication.TokenRequest: metadata spec status
authentication.TokenRequestSpec: audiences @3 *boundObjectRef *expirationSeconds
authentication.TokenRequestStatus: token expirationTimestamp
authentication.TokenReview: metadata spec status
authentication.TokenReviewSpec: token audiences
authentication.TokenReviewStatus: authenticated user error audiences
authentication.UserInfo: username uid groups extra
authorization.FieldSelectorAttributes: rawSelector requirements
authorization.LabelSelectorAttributes: rawSelector requirements
authorization.LocalSubjectAccessReview: metadata spec status
authorization.NonResourceAttributes: path verb
authorization.NonResourceRule: verbs nonResourceURLs
authorization.ResourceAttributes: namespace verb group version resource subresource name
 *fieldSelector *labelSelector
authorization.ResourceRule: verbs apiGroups resources resourceNames
authorization.SelfSubjectAccessReview: metadata spec status
authorization.SelfSubjectAccessReviewSpec: *resourceAttributes *nonResourceAttributes
authorization.SelfSubjectRulesReview: metadata spec status
authorization.SelfSubjectRulesReviewSpec: namespace
authorization.SubjectAccessReview: metadata spec status
authorization.SubjectAccessReviewSpec: *resourceAttributes *nonResourceAttributes user groups
 extra uid
authorization.SubjectAccessReviewStatus: allowed reason evaluationError denied
authorization.SubjectRulesReviewStatus: resourceRules nonResourceRules incomplete evaluationError
autoscaling.Scale: metadata spec status
autoscaling.ScaleSpec: replicas
autoscaling.ScaleStatus: replicas selector
batch.CronJob: metadata spec status
batch.CronJobSpec: schedule *startingDeadlineSeconds concurrencyPolicy *suspend jobTemplate
 *successfulJobsHistoryLimit *failedJobsHistoryLimit *timeZone
batch.CronJobStatus: active @4 *lastScheduleTime *lastSuccessfulTime
batch.Job: metadata spec status
batch.JobCondition: type status lastProbeTime lastTransitionTime reason message
batch.JobSpec: *parallelism *completions *activeDeadlineSeconds *selector *manualSelector template
 *backoffLimit *ttlSecondsAfterFinished *completionMode *suspend *podFailurePolicy
 *backoffLimitPerIndex *maxFailedIndexes *podReplacementPolicy *managedBy *successPolicy
batch.JobStatus: conditions *startTime *completionTime active succeeded failed completedIndexes
 *uncountedTerminatedPods *ready *failedIndexes *terminating
batch.JobTemplateSpec: metadata spec
batch.PodFailurePolicy: rules
batch.PodFailurePolicyOnExitCodesRequirement: *containerName operator values
batch.PodFailurePolicyOnPodConditionsPattern: type status
batch.PodFailurePolicyRule: action *onExitCodes onPodConditions
batch.SuccessPolicy: rules
batch.SuccessPolicyRule: *succeededIndexes *succeededCount
batch.UncountedTerminatedPods: succeeded failed
coordination.Lease: metadata spec
coordination.LeaseSpec: *holderIdentity *leaseDurationSeconds *acquireTime *renewTime
 *leaseTransitions *strategy *preferredHolder
core.AWSElasticBlockStoreVolumeSource: volumeID fsType partition readOnly
core.Affinity: *nodeAffinity *podAffinity *podAntiAffinity
core.AppArmorProfile: type *localhostProfile
core.AttachedVolume: name devicePath
core.AzureDiskVolumeSource: diskName diskURI *cachingMode *fsType *readOnly *kind
core.AzureFilePersistentVolumeSource: secretName shareName readOnly *secretNamespace
core.AzureFileVolumeSource: secretName shareName readOnly
core.Binding: metadata target
core.CSIPersistentVolumeSource: driver volumeHandle readOnly fsType volumeAttributes
 *controllerPublishSecretRef *nodeStageSecretRef *nodePublishSecretRef *controllerExpandSecretRef
 *nodeExpandSecretRef
core.CSIVolumeSource: driver *readOnly *fsType volumeAttributes *nodePublishSecretRef
core.Capabilities: add drop
core.CephFSPersistentVolumeSource: monitors path user secretFile *secretRef readOnly
core.CephFSVolumeSource: monitors path user secretFile *secretRef readOnly
core.CinderPersistentVolumeSource: volumeID fsType readOnly *secretRef
core.CinderVolumeSource: volumeID fsType readOnly *secretRef
core.ClientIPConfig: *timeoutSeconds
core.ClusterTrustBundleProjection: *name *signerName *labelSelector path *optional
core.ConfigMap: metadata data binaryData *immutable
core.ConfigMapEnvSource: >LocalObjectReference *optional
core.ConfigMapKeySelector: >LocalObjectReference key *optional
core.ConfigMapNodeConfigSource: namespace name uid resourceVersion kubeletConfigKey
core.ConfigMapProjection: >LocalObjectReference items @4 *optional
core.ConfigMapVolumeSource: >LocalObjectReference items *defaultMode *optional
core.Container: name image command args workingDir ports env resources volumeMounts *livenessProbe
 *readinessProbe *lifecycle terminationMessagePath imagePullPolicy *securityContext stdin
 stdinOnce tty envFrom terminationMessagePolicy volumeDevices *startupProbe resizePolicy
 *restartPolicy restartPolicyRules
core.ContainerExtendedResourceRequest: containerName resourceName requestName
core.ContainerImage: names sizeBytes
core.ContainerPort: name hostPort containerPort protocol hostIP
core.ContainerResizePolicy: resourceName restartPolicy
core.ContainerRestartRule: action *exitCodes
core.ContainerRestartRuleOnExitCodes: operator values
core.ContainerState: *waiting *running *terminated
core.ContainerStateRunning: startedAt
core.ContainerStateTerminated: exitCode signal reason message startedAt finishedAt containerID
core.ContainerStateWaiting: reason message
core.ContainerStatus: name state lastState ready restartCount image imageID containerID *started
 allocatedResources *resources volumeMounts *user allocatedResourcesStatus *stopSignal
core.ContainerUser: *linux
core.DaemonEndpoint: Port
core.DownwardAPIProjection: items
core.DownwardAPIVolumeFile: path *fieldRef *resourceFieldRef *mode
core.DownwardAPIVolumeSource: items *defaultMode
core.EmptyDirVolumeSource: medium *sizeLimit
core.EndpointAddress: ip *targetRef hostname *nodeName
core.EndpointPort: name port protocol *appProtocol
core.EndpointSubset: addresses notReadyAddresses ports
core.Endpoints: metadata subsets
core.EnvFromSource: prefix *configMapRef *secretRef
core.EnvVar: name value *valueFrom
core.EnvVarSource: *fieldRef *resourceFieldRef *configMapKeyRef *secretKeyRef *fileKeyRef
core.EphemeralContainer: >EphemeralContainerCommon targetContainerName
core.EphemeralContainerCommon: name image command args workingDir ports env resources volumeMounts
 *livenessProbe *readinessProbe *lifecycle terminationMessagePath imagePullPolicy *securityContext
 stdin stdinOnce tty envFrom terminationMessagePolicy volumeDevices *startupProbe resizePolicy
 *restartPolicy restartPolicyRules
core.EphemeralVolumeSource: *volumeClaimTemplate
core.Event: metadata involvedObject reason message source firstTimestamp lastTimestamp count type
 eventTime *series action *related reportingComponent reportingInstance
core.EventSeries: count lastObservedTime
core.EventSource: component host
core.ExecAction: command
core.FCVolumeSource: targetWWNs *lun fsType readOnly wwids
core.FileKeySelector: volumeName path key *optional
core.FlexPersistentVolumeSource: driver fsType *secretRef readOnly options
core.FlexVolumeSource: driver fsType *secretRef readOnly options
core.FlockerVolumeSource: datasetName datasetUUID
core.GCEPersistentDiskVolumeSource: pdName fsType partition readOnly
core.GRPCAction: port *service
core.GitRepoVolumeSource: repository revision directory
core.GlusterfsPersistentVolumeSource: endpoints path readOnly *endpointsNamespace
core.GlusterfsVolumeSource: endpoints path readOnly
core.HTTPGetAction: path port host scheme httpHeaders
core.HTTPHeader: name value
core.HostAlias: ip hostnames
core.HostIP: ip
core.HostPathVolumeSource: path *type
core.ISCSIPersistentVolumeSource: targetPortal iqn lun iscsiInterface fsType readOnly portals
 chapAuthDiscovery @10 *secretRef chapAuthSession *initiatorName
core.ISCSIVolumeSource: targetPortal iqn lun iscsiInterface fsType readOnly portals
 chapAuthDiscovery @10 *secretRef chapAuthSession *initiatorName
core.ImageVolumeSource: reference pullPolicy
core.ImageVolumeStatus: imageRef
core.KeyToPath: key path *mode
core.Lifecycle: *postStart *preStop *stopSignal
core.LifecycleHandler: *exec *httpGet *tcpSocket *sleep
core.LimitRange: metadata spec
core.LimitRangeItem: type max min default defaultRequest maxLimitRequestRatio
core.LimitRangeSpec: limits
core.LinuxContainerUser: uid gid supplementalGroups
core.LoadBalancerIngress: ip hostname *ipMode ports
core.LoadBalancerStatus: ingress
core.LocalObjectReference: name
core.LocalVolumeSource: path *fsType
core.ModifyVolumeStatus: targetVolumeAttributesClassName status
core.NFSVolumeSource: server path readOnly
core.Namespace: metadata spec status
core.NamespaceCondition: type status @4 lastTransitionTime reason message
core.NamespaceSpec: finalizers
core.NamespaceStatus: phase conditions
core.Node: metadata spec status
core.NodeAddress: type address
core.NodeAffinity: *requiredDuringSchedulingIgnoredDuringExecution
 preferredDuringSchedulingIgnoredDuringExecution
core.NodeAllocatableResourceClaimStatus: resourceClaimName containers resources
core.NodeCondition: type status lastHeartbeatTime lastTransitionTime reason message
core.NodeConfigSource: @2 *configMap
core.NodeConfigStatus: *assigned *active *lastKnownGood error
core.NodeDaemonEndpoints: kubeletEndpoint
core.NodeFeatures: *supplementalGroupsPolicy
core.NodeRuntimeHandler: name *features
core.NodeRuntimeHandlerFeatures: *recursiveReadOnlyMounts *userNamespaces
core.NodeSelector: nodeSelectorTerms
core.NodeSelectorRequirement: key operator values
core.NodeSelectorTerm: matchExpressions matchFields
core.NodeSpec: podCIDR externalID providerID unschedulable taints *configSource podCIDRs
core.NodeStatus: capacity allocatable phase conditions addresses daemonEndpoints nodeInfo images
 volumesInUse volumesAttached *config runtimeHandlers *features declaredFeatures
core.NodeSwapStatus: *capacity
core.NodeSystemInfo: machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion
 kubeletVersion kubeProxyVersion operatingSystem architecture *swap
core.ObjectFieldSelector: apiVersion fieldPath
core.ObjectReference: kind namespace name uid apiVersion resourceVersion fieldPath
core.PersistentVolume: metadata spec status
core.PersistentVolumeClaim: metadata spec status
core.PersistentVolumeClaimCondition: type status lastProbeTime lastTransitionTime reason message
core.PersistentVolumeClaimSpec: accessModes resources volumeName *selector *storageClassName
 *volumeMode *dataSource *dataSourceRef *volumeAttributesClassName
core.PersistentVolumeClaimStatus: phase accessModes capacity conditions allocatedResources @7
 allocatedResourceStatuses *currentVolumeAttributesClassName *modifyVolumeStatus
core.PersistentVolumeClaimTemplate: metadata spec
core.PersistentVolumeClaimVolumeSource: claimName readOnly
core.PersistentVolumeSource: *gcePersistentDisk *awsElasticBlockStore *hostPath *glusterfs *nfs
 *rbd *iscsi *cinder *cephfs *fc *flocker *flexVolume *azureFile *vsphereVolume *quobyte
 *azureDisk *photonPersistentDisk *portworxVolume *scaleIO *local *storageos *csi
core.PersistentVolumeSpec: capacity >PersistentVolumeSource accessModes *claimRef
 persistentVolumeReclaimPolicy storageClassName mountOptions *volumeMode *nodeAffinity
 *volumeAttributesClassName
core.PersistentVolumeStatus: phase message reason *lastPhaseTransitionTime
core.PhotonPersistentDiskVolumeSource: pdID fsType
core.Pod: metadata spec status
core.PodAffinity: requiredDuringSchedulingIgnoredDuringExecution
 preferredDuringSchedulingIgnoredDuringExecution
core.PodAffinityTerm: *labelSelector namespaces topologyKey *namespaceSelector matchLabelKeys
 mismatchLabelKeys
core.PodAntiAffinity: requiredDuringSchedulingIgnoredDuringExecution
 preferredDuringSchedulingIgnoredDuringExecution
core.PodCertificateProjection: signerName keyType *maxExpirationSeconds credentialBundlePath
 keyPath certificateChainPath userAnnotations
core.PodCondition: type status lastProbeTime lastTransitionTime reason message observedGeneration
core.PodDNSConfig: nameservers searches options
core.PodDNSConfigOption: name *value
core.PodExtendedResourceClaimStatus: requestMappings resourceClaimName
core.PodIP: ip
core.PodOS: name
core.PodReadinessGate: conditionType
core.PodResourceClaim: name @3 *resourceClaimName *resourceClaimTemplateName
core.PodResourceClaimStatus: name *resourceClaimName
core.PodSchedulingGate: name
core.PodSchedulingGroup: *podGroupName
core.PodSecurityContext: *seLinuxOptions *runAsUser *runAsNonRoot supplementalGroups *fsGroup
 *runAsGroup sysctls *windowsOptions *fsGroupChangePolicy *seccompProfile *appArmorProfile
 *supplementalGroupsPolicy *seLinuxChangePolicy
core.PodSpec: volumes containers restartPolicy *terminationGracePeriodSeconds
 *activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount nodeName
 hostNetwork hostPID hostIPC *securityContext imagePullSecrets hostname subdomain *affinity
 schedulerName initContainers *automountServiceAccountToken tolerations hostAliases
 priorityClassName *priority *dnsConfig *shareProcessNamespace readinessGates *runtimeClassName
 *enableServiceLinks *preemptionPolicy overhead topologySpreadConstraints ephemeralContainers
 *setHostnameAsFQDN *os *hostUsers schedulingGates resourceClaims *resources *hostnameOverride @43
 *schedulingGroup
core.PodStatus: phase conditions message reason hostIP podIP *startTime containerStatuses qosClass
 initContainerStatuses nominatedNodeName podIPs ephemeralContainerStatuses resize
 resourceClaimStatuses hostIPs observedGeneration *extendedResourceClaimStatus allocatedResources
 *resources nodeAllocatableResourceClaimStatuses
core.PodTemplate: metadata template
core.PodTemplateSpec: metadata spec
core.PortStatus: port protocol *error
core.PortworxVolumeSource: volumeID fsType readOnly
core.PreferredSchedulingTerm: weight preference
core.Probe: >ProbeHandler initialDelaySeconds timeoutSeconds periodSeconds successThreshold
 failureThreshold *terminationGracePeriodSeconds
core.ProbeHandler: *exec *httpGet *tcpSocket *grpc
core.ProjectedVolumeSource: sources *defaultMode
core.QuobyteVolumeSource: registry volume readOnly user group tenant
core.RBDPersistentVolumeSource: monitors image fsType pool user keyring *secretRef readOnly
core.RBDVolumeSource: monitors image fsType pool user keyring *secretRef readOnly
core.ResourceClaim: name request
core.ResourceFieldSelector: containerName resource divisor
core.ResourceHealth: resourceID health @6 *message
core.ResourceQuota: metadata spec status
core.ResourceQuotaSpec: hard scopes *scopeSelector
core.ResourceQuotaStatus: hard used
core.ResourceRequirements: limits requests claims
core.ResourceStatus: name resources
core.SELinuxOptions: user role type level
core.ScaleIOPersistentVolumeSource: gateway system *secretRef sslEnabled protectionDomain
 storagePool storageMode volumeName fsType readOnly
core.ScaleIOVolumeSource: gateway system *secretRef sslEnabled protectionDomain storagePool
 storageMode volumeName fsType readOnly
core.ScopeSelector: matchExpressions
core.ScopedResourceSelectorRequirement: scopeName operator values
core.SeccompProfile: type *localhostProfile
core.Secret: metadata data type stringData *immutable
core.SecretEnvSource: >LocalObjectReference *optional
core.SecretKeySelector: >LocalObjectReference key *optional
core.SecretProjection: >LocalObjectReference items @4 *optional
core.SecretReference: name namespace
core.SecretVolumeSource: secretName items *defaultMode *optional
core.SecurityContext: *capabilities *privileged *seLinuxOptions *runAsUser *runAsNonRoot
 *readOnlyRootFilesystem *allowPrivilegeEscalation *runAsGroup *procMount *windowsOptions
 *seccompProfile *appArmorProfile
core.Service: metadata spec status
core.ServiceAccount: metadata secrets imagePullSecrets *automountServiceAccountToken
core.ServiceAccountTokenProjection: audience *expirationSeconds path
core.ServicePort: name protocol port targetPort nodePort *appProtocol
core.ServiceSpec: ports selector clusterIP type externalIPs @7 sessionAffinity loadBalancerIP
 loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort
 publishNotReadyAddresses *sessionAffinityConfig @17 *ipFamilyPolicy clusterIPs ipFamilies
 *allocateLoadBalancerNodePorts *loadBalancerClass *internalTrafficPolicy *trafficDistribution
core.ServiceStatus: loadBalancer conditions
core.SessionAffinityConfig: *clientIP
core.SleepAction: seconds
core.StorageOSPersistentVolumeSource: volumeName volumeNamespace fsType readOnly *secretRef
core.StorageOSVolumeSource: volumeName volumeNamespace fsType readOnly *secretRef
core.Sysctl: name value
core.TCPSocketAction: port host
core.Taint: key value effect *timeAdded
core.Toleration: key operator value effect *tolerationSeconds
core.TopologySelectorLabelRequirement: key values
core.TopologySelectorTerm: matchLabelExpressions
core.TopologySpreadConstraint: maxSkew topologyKey whenUnsatisfiable *labelSelector *minDomains
 *nodeAffinityPolicy *nodeTaintsPolicy matchLabelKeys
core.TypedLocalObjectReference: *apiGroup kind name
core.TypedObjectReference: *apiGroup kind name *namespace
core.Volume: name >VolumeSource
core.VolumeDevice: name devicePath
core.VolumeMount: name readOnly mountPath subPath *mountPropagation subPathExpr *recursiveReadOnly
core.VolumeMountStatus: name mountPath readOnly *recursiveReadOnly *volumeStatus
core.VolumeNodeAffinity: *required
core.VolumeProjection: *secret *downwardAPI *configMap *serviceAccountToken *clusterTrustBundle
 *podCertificate
core.VolumeResourceRequirements: limits requests
core.VolumeSource: *hostPath *emptyDir *gcePersistentDisk *awsElasticBlockStore *gitRepo *secret
 *nfs *iscsi *glusterfs *persistentVolumeClaim *rbd *flexVolume *cinder *cephfs *flocker
 *downwardAPI *fc *azureFile *configMap *vsphereVolume *quobyte *azureDisk *photonPersistentDisk
 *portworxVolume *scaleIO *projected *storageos *csi *ephemeral *image
core.VolumeStatus: *image
core.VsphereVirtualDiskVolumeSource: volumePath fsType storagePolicyName storagePolicyID
core.WeightedPodAffinityTerm: weight podAffinityTerm
core.WindowsSecurityContextOptions: *gmsaCredentialSpecName *gmsaCredentialSpec *runAsUserName
 *hostProcess
discovery.Endpoint: addresses conditions *hostname *targetRef deprecatedTopology *nodeName *zone
 *hints
discovery.EndpointConditions: *ready *serving *terminating
discovery.EndpointHints: forZones forNodes
discovery.EndpointPort: *name *protocol *port *appProtocol
discovery.EndpointSlice: metadata endpoints ports addressType
discovery.ForNode: name
discovery.ForZone: name
events.Event: metadata eventTime *series reportingController reportingInstance action reason
 regarding *related note type deprecatedSource deprecatedFirstTimestamp deprecatedLastTimestamp
 deprecatedCount
events.EventSeries: count lastObservedTime
meta.Condition: type status observedGeneration lastTransitionTime reason message
meta.DeleteOptions: *gracePeriodSeconds *preconditions *orphanDependents *propagationPolicy dryRun
 *ignoreStoreReadErrorWithClusterBreakingPotential
meta.FieldSelectorRequirement: key operator values
meta.LabelSelector: matchLabels matchExpressions
meta.LabelSelectorRequirement: key operator values
meta.ListMeta: selfLink resourceVersion continue *remainingItemCount *shardInfo
meta.ManagedFieldsEntry: manager operation apiVersion *time @6 fieldsType *fieldsV1 subresource
meta.ObjectMeta: name generateName namespace selfLink uid resourceVersion generation
 creationTimestamp *deletionTimestamp *deletionGracePeriodSeconds labels annotations
 ownerReferences finalizers @17 managedFields
meta.OwnerReference: kind @3 name uid apiVersion *controller *blockOwnerDeletion
meta.Preconditions: *uid *resourceVersion
meta.ShardInfo: selector
meta.Status: metadata status message reason *details code
meta.StatusCause: reason message field
meta.StatusDetails: name group kind causes retryAfterSeconds uid
policy.Eviction: metadata *deleteOptions
rbac.AggregationRule: clusterRoleSelectors
rbac.ClusterRole: metadata rules *aggregationRule
rbac.ClusterRoleBinding: metadata subjects roleRef
rbac.PolicyRule: verbs apiGroups resources resourceNames nonResourceURLs
rbac.Role: metadata rules
rbac.RoleBinding: metadata subjects roleRef
rbac.RoleRef: apiGroup kind name
rbac.Subject: kind apiGroup name namespace
scheduling.PriorityClass: metadata value globalDefault description *preemptionPolicy
storage.StorageClass: metadata provisioner parameters *reclaimPolicy mountOptions
 *allowVolumeExpansion *volumeBindingMode allowedTopologies
"""
