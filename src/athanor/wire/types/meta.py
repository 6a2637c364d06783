"""Types of io.k8s.apimachinery.pkg.apis.meta.v1.

The format is described in `table.py`.
"""

TEXT = """\
Condition: lastTransitionTime!:t message!:s observedGeneration:l reason!:s status!:s type!:s
DeleteOptions: apiVersion:s dryRun:[s]a gracePeriodSeconds:l
 ignoreStoreReadErrorWithClusterBreakingPotential:b kind:s orphanDependents:b
 preconditions:Preconditions propagationPolicy:s
FieldSelectorRequirement: key!:s operator!:s values:[s]a
LabelSelector@: matchExpressions:[LabelSelectorRequirement]a matchLabels:<s>
LabelSelectorRequirement: key!:s operator!:s values:[s]a
ListMeta: continue:s remainingItemCount:l resourceVersion:s selfLink:s shardInfo:ShardInfo
ManagedFieldsEntry: apiVersion:s fieldsType:s fieldsV1:o manager:s operation:s subresource:s
 time:t
ObjectMeta: annotations:<s> creationTimestamp:t deletionGracePeriodSeconds:l deletionTimestamp:t
 finalizers:[s]u+ generateName:s generation:l labels:<s> managedFields:[ManagedFieldsEntry]a
 name:s namespace:s ownerReferences:[OwnerReference]{uid}+uid resourceVersion:s selfLink:s uid:s
OwnerReference@: apiVersion!:s blockOwnerDeletion:b controller:b kind!:s name!:s uid!:s
Preconditions: resourceVersion:s uid:s
ShardInfo: selector!:s
Status: apiVersion:s code:i details:StatusDetails kind:s message:s metadata:ListMeta reason:s
 status:s
StatusCause: field:s message:s reason:s
StatusDetails: causes:[StatusCause]a group:s kind:s name:s retryAfterSeconds:i uid:s
"""
