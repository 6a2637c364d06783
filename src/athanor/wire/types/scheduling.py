"""Types of io.k8s.api.scheduling.v1.

The format is described in `table.py`.
"""

TEXT = """\
PriorityClass: apiVersion:s description:s globalDefault:b kind:s metadata:meta.ObjectMeta
 preemptionPolicy:s(Never|PreemptLowerPriority) value:i
"""
