"""The node agent and the supervisor: pods as processes, with kubelet semantics."""
