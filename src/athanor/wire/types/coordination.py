"""Types of io.k8s.api.coordination.v1.

The format is described in `table.py`.
"""

TEXT = """\
Lease: apiVersion:s kind:s metadata:meta.ObjectMeta spec:LeaseSpec
LeaseSpec: acquireTime:t holderIdentity:s leaseDurationSeconds:i leaseTransitions:i
 preferredHolder:s renewTime:t strategy:s
"""
