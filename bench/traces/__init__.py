"""Replays of public workload traces; the traces themselves are not part of the repository."""
