"""Which nodes still answer: heartbeats that stop make a Node's Ready condition Unknown.

Pods of a node that is no more are said to have failed and deleted, as its pod collector does.

The laptop's share of what kube-controller-manager's node controllers do; switched off where that
runs. What follows for gangs and scheduling is theirs: they read the condition.
"""
