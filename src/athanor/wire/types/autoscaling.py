"""Types of io.k8s.api.autoscaling.v1.

The format is described in `table.py`.
"""

TEXT = """\
Scale: apiVersion:s kind:s metadata:meta.ObjectMeta spec:ScaleSpec status:ScaleStatus
ScaleSpec: replicas:i
ScaleStatus: replicas!:i selector:s
"""
