"""Which frameworks there are."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.features.training.frameworks import generic, jax, pytorch, xgboost
from athanor.features.training.frameworks.wiring import Wire

WIRES: Mapping[str, Wire] = {
    "generic": generic.wire,
    "jax": jax.wire,
    "pytorch": pytorch.wire,
    "xgboost": xgboost.wire,
}
"""The framework's name in a TrainingJob → its wiring."""
