"""Types of io.k8s.api.events.v1.

The format is described in `table.py`.
"""

TEXT = """\
Event: action:s apiVersion:s deprecatedCount:i deprecatedFirstTimestamp:t
 deprecatedLastTimestamp:t deprecatedSource:core.EventSource eventTime!:t kind:s
 metadata:meta.ObjectMeta note:s reason:s regarding:core.ObjectReference
 related:core.ObjectReference reportingController:s reportingInstance:s series:EventSeries type:s
EventSeries: count!:i lastObservedTime!:t
"""
