"""Which nodes still answer: heartbeats that stop make a Node's Ready condition Unknown.

The laptop's share of what kube-controller-manager's node-lifecycle controller does; switched off
where that runs. What follows for gangs and scheduling is theirs: they read the condition.
"""
