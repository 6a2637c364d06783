"""Putting Athanor on a Kubernetes cluster: the objects, and how they are applied and removed."""
