"""Many small fits dealt out to the nodes of a Ray cluster; the best of them wins.

    athanor submit ray --workers 1 -- python train_ray.py

The head rank starts Ray's head and then this program; workers join it.
"""

from __future__ import annotations

import os
import time

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score


@ray.remote
def fit(strength: float) -> tuple[float, float, str]:
    """Cross-validated accuracy of one strength of regularisation, and where it was found."""
    images, labels = load_digits(return_X_y=True)
    score = cross_val_score(RidgeClassifier(alpha=strength), images, labels, cv=3).mean()
    return float(score), strength, ray.get_runtime_context().get_node_id()[:8]


def everybody(ranks: int) -> list[str]:
    """The ids of Ray's nodes, once there is one for each rank."""
    while len(alive := [node["NodeID"] for node in ray.nodes() if node["Alive"]]) < ranks:
        time.sleep(0.1)
    return alive


def main() -> None:
    """Search."""
    ray.init(address="auto", log_to_driver=False, logging_level="error")
    nodes = everybody(int(os.environ.get("ATHANOR_SIZE", "1")))
    dealt = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
    fits = [
        fit.options(scheduling_strategy=dealt[power % len(dealt)]).remote(10.0**power)
        for power in range(-3, 5)
    ]
    found = ray.get(fits)
    used = {node for _, _, node in found}
    score, strength, _ = max(found)
    print(f"{len(found)} fits on {len(used)} nodes of {len(nodes)}", flush=True)
    print(f"best alpha {strength:g} accuracy {score:.3f}", flush=True)


if __name__ == "__main__":
    main()
