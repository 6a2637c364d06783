"""Types of io.k8s.api.policy.v1.

The format is described in `table.py`.
"""

TEXT = """\
Eviction: apiVersion:s deleteOptions:meta.DeleteOptions kind:s metadata:meta.ObjectMeta
"""
