"""Which frameworks there are."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.features.training.frameworks import (
    deepspeed,
    flink,
    generic,
    horovod,
    jax,
    lightgbm,
    mpi,
    pytorch,
    ray,
    spark,
    tensorflow,
    xgboost,
)
from athanor.features.training.frameworks.wiring import Wire

WIRES: Mapping[str, Wire] = {
    "deepspeed": deepspeed.wire,
    "flink": flink.wire,
    "generic": generic.wire,
    "horovod": horovod.wire,
    "jax": jax.wire,
    "lightgbm": lightgbm.wire,
    "mpi": mpi.wire,
    "pytorch": pytorch.wire,
    "ray": ray.wire,
    "spark": spark.wire,
    "tensorflow": tensorflow.wire,
    "xgboost": xgboost.wire,
}
"""The framework's name in a TrainingJob → its wiring."""
