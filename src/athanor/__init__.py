"""Athanor: one Kubernetes API for AI work, on a laptop and on a cluster.

The tree is the architecture; ARCHITECTURE.md walks through it. Imports point down.
"""
