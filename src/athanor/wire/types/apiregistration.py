"""Types of io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.

The format is described in `table.py`.
"""

TEXT = """\
APIService: apiVersion:s kind:s metadata:meta.ObjectMeta spec:APIServiceSpec
 status:APIServiceStatus
APIServiceCondition: lastTransitionTime:t message:s reason:s status!:s type!:s
APIServiceSpec: caBundle:y group:s groupPriorityMinimum!:i insecureSkipTLSVerify:b
 service:ServiceReference version:s versionPriority!:i
APIServiceStatus: conditions:[APIServiceCondition]{type}+type
ServiceReference: name:s namespace:s port:i
"""
