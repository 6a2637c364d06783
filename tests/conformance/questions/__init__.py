"""Requests whose whole answers were recorded from a real Kubernetes; ours must answer the same."""
