"""Types of io.k8s.api.storage.v1.

The format is described in `table.py`.
"""

TEXT = """\
StorageClass: allowVolumeExpansion:b allowedTopologies:[core.TopologySelectorTerm]a apiVersion:s
 kind:s metadata:meta.ObjectMeta mountOptions:[s]a parameters:<s> provisioner!:s
 reclaimPolicy:s(Delete|Recycle|Retain) volumeBindingMode:s(Immediate|WaitForFirstConsumer)
"""
