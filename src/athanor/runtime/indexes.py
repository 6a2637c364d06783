"""Indexes that several features look things up by: they share them by their name."""

from __future__ import annotations

from athanor.api.labels import GANG
from athanor.runtime.cache import by_label

PODS_OF_GANG = "pods-of-gang"
pods_of_gang = by_label(GANG)
"""The pods of a gang, by `namespace/name`."""
