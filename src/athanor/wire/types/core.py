"""Types of core/v1 besides pods and volumes.

The format is described in `table.py`.
"""

TEXT = """\
Binding: apiVersion:s kind:s metadata:meta.ObjectMeta target!:ObjectReference
ClientIPConfig: timeoutSeconds:i
ConfigMap: apiVersion:s binaryData:<y> data:<s> immutable:b kind:s metadata:meta.ObjectMeta
ConfigMapNodeConfigSource: kubeletConfigKey!:s name!:s namespace!:s resourceVersion:s uid:s
ContainerImage: names:[s]a sizeBytes:l
DaemonEndpoint: Port!:i
EndpointAddress@: hostname:s ip!:s nodeName:s targetRef:ObjectReference
EndpointPort@: appProtocol:s name:s port!:i protocol:s(SCTP|TCP|UDP)
EndpointSubset: addresses:[EndpointAddress]a notReadyAddresses:[EndpointAddress]a
 ports:[EndpointPort]a
Endpoints: apiVersion:s kind:s metadata:meta.ObjectMeta subsets:[EndpointSubset]a
Event: action:s apiVersion:s count:i eventTime:t firstTimestamp:t involvedObject!:ObjectReference
 kind:s lastTimestamp:t message:s metadata!:meta.ObjectMeta reason:s related:ObjectReference
 reportingComponent:s reportingInstance:s series:EventSeries source:EventSource type:s
EventSeries: count:i lastObservedTime:t
EventSource: component:s host:s
LimitRange: apiVersion:s kind:s metadata:meta.ObjectMeta spec:LimitRangeSpec
LimitRangeItem: default:<q> defaultRequest:<q> max:<q> maxLimitRequestRatio:<q> min:<q> type!:s
LimitRangeSpec: limits!:[LimitRangeItem]a
LoadBalancerIngress: hostname:s ip:s ipMode:s ports:[PortStatus]a
LoadBalancerStatus: ingress:[LoadBalancerIngress]a
Namespace: apiVersion:s kind:s metadata:meta.ObjectMeta spec:NamespaceSpec status:NamespaceStatus
NamespaceCondition: lastTransitionTime:t message:s reason:s status!:s type!:s
NamespaceSpec: finalizers:[s]a
NamespaceStatus: conditions:[NamespaceCondition]{type}+type phase:s(Active|Terminating)
Node: apiVersion:s kind:s metadata:meta.ObjectMeta spec:NodeSpec status:NodeStatus
NodeAddress: address!:s type!:s
NodeCondition: lastHeartbeatTime:t lastTransitionTime:t message:s reason:s status!:s type!:s
NodeConfigSource: configMap:ConfigMapNodeConfigSource
NodeConfigStatus: active:NodeConfigSource assigned:NodeConfigSource error:s
 lastKnownGood:NodeConfigSource
NodeDaemonEndpoints: kubeletEndpoint:DaemonEndpoint
NodeFeatures: supplementalGroupsPolicy:b
NodeRuntimeHandler: features:NodeRuntimeHandlerFeatures name:s
NodeRuntimeHandlerFeatures: recursiveReadOnlyMounts:b userNamespaces:b
NodeSpec: configSource:NodeConfigSource externalID:s podCIDR:s podCIDRs:[s]u+ providerID:s
 taints:[Taint]a unschedulable:b
NodeStatus: addresses:[NodeAddress]{type}+type allocatable:<q> capacity:<q>
 conditions:[NodeCondition]{type}+type config:NodeConfigStatus daemonEndpoints:NodeDaemonEndpoints
 declaredFeatures:[s]a features:NodeFeatures images:[ContainerImage]a nodeInfo:NodeSystemInfo
 phase:s(Pending|Running|Terminated) runtimeHandlers:[NodeRuntimeHandler]a
 volumesAttached:[AttachedVolume]a volumesInUse:[s]a
NodeSwapStatus: capacity:l
NodeSystemInfo: architecture!:s bootID!:s containerRuntimeVersion!:s kernelVersion!:s
 kubeProxyVersion!:s kubeletVersion!:s machineID!:s operatingSystem!:s osImage!:s
 swap:NodeSwapStatus systemUUID!:s
ObjectReference@: apiVersion:s fieldPath:s kind:s name:s namespace:s resourceVersion:s uid:s
PortStatus: error:s port!:i protocol!:s(SCTP|TCP|UDP)
ResourceQuota: apiVersion:s kind:s metadata:meta.ObjectMeta spec:ResourceQuotaSpec
 status:ResourceQuotaStatus
ResourceQuotaSpec: hard:<q> scopeSelector:ScopeSelector scopes:[s]a
ResourceQuotaStatus: hard:<q> used:<q>
ScopeSelector@: matchExpressions:[ScopedResourceSelectorRequirement]a
ScopedResourceSelectorRequirement: operator!:s(DoesNotExist|Exists|In|NotIn) scopeName!:s
 values:[s]a
Secret: apiVersion:s data:<y> immutable:b kind:s metadata:meta.ObjectMeta stringData:<s> type:s
SecretReference@: name:s namespace:s
Service: apiVersion:s kind:s metadata:meta.ObjectMeta spec:ServiceSpec status:ServiceStatus
ServiceAccount: apiVersion:s automountServiceAccountToken:b
 imagePullSecrets:[LocalObjectReference]a kind:s metadata:meta.ObjectMeta
 secrets:[ObjectReference]{name}+name
ServicePort: appProtocol:s name:s nodePort:i port!:i protocol:s(SCTP|TCP|UDP)=TCP targetPort:x
ServiceSpec: allocateLoadBalancerNodePorts:b clusterIP:s clusterIPs:[s]a externalIPs:[s]a
 externalName:s externalTrafficPolicy:s(Cluster|Local) healthCheckNodePort:i
 internalTrafficPolicy:s(Cluster|Local) ipFamilies:[s(|IPv4|IPv6)]a
 ipFamilyPolicy:s(PreferDualStack|RequireDualStack|SingleStack) loadBalancerClass:s
 loadBalancerIP:s loadBalancerSourceRanges:[s]a ports:[ServicePort]{port,protocol}+port
 publishNotReadyAddresses:b selector:<s>a sessionAffinity:s(ClientIP|None)
 sessionAffinityConfig:SessionAffinityConfig trafficDistribution:s
 type:s(ClusterIP|ExternalName|LoadBalancer|NodePort)
ServiceStatus: conditions:[meta.Condition]{type}+type loadBalancer:LoadBalancerStatus
SessionAffinityConfig: clientIP:ClientIPConfig
Taint: effect!:s(NoExecute|NoSchedule|PreferNoSchedule) key!:s timeAdded:t value:s
TopologySelectorLabelRequirement: key!:s values!:[s]a
TopologySelectorTerm@: matchLabelExpressions:[TopologySelectorLabelRequirement]a
"""
