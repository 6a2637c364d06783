"""Types of io.k8s.api.rbac.v1.

The format is described in `table.py`.
"""

TEXT = """\
AggregationRule: clusterRoleSelectors:[meta.LabelSelector]a
ClusterRole: aggregationRule:AggregationRule apiVersion:s kind:s metadata:meta.ObjectMeta
 rules:[PolicyRule]a
ClusterRoleBinding: apiVersion:s kind:s metadata:meta.ObjectMeta roleRef!:RoleRef
 subjects:[Subject]a
PolicyRule: apiGroups:[s]a nonResourceURLs:[s]a resourceNames:[s]a resources:[s]a verbs!:[s]a
Role: apiVersion:s kind:s metadata:meta.ObjectMeta rules:[PolicyRule]a
RoleBinding: apiVersion:s kind:s metadata:meta.ObjectMeta roleRef!:RoleRef subjects:[Subject]a
RoleRef@: apiGroup:s kind!:s name!:s
Subject@: apiGroup:s kind!:s name!:s namespace:s
"""
