"""Many small fits spread over a Ray cluster; the best of them wins.

    athanor submit ray --workers 1 -- python train_ray.py

The head rank starts Ray's head and then this program; workers join it.
"""

from __future__ import annotations

import ray
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score


@ray.remote(scheduling_strategy="SPREAD")
def fit(strength: float) -> tuple[float, float, str]:
    """Cross-validated accuracy of one strength of regularisation, and where it was found."""
    images, labels = load_digits(return_X_y=True)
    score = cross_val_score(RidgeClassifier(alpha=strength), images, labels, cv=3).mean()
    return float(score), strength, ray.get_runtime_context().get_node_id()[:8]


def main() -> None:
    """Search."""
    ray.init(address="auto", log_to_driver=False, logging_level="error")
    found = ray.get([fit.remote(10.0**power) for power in range(-3, 5)])
    nodes = {node for _, _, node in found}
    score, strength, _ = max(found)
    print(f"{len(found)} fits on {len(nodes)} nodes of {len(ray.nodes())}", flush=True)
    print(f"best alpha {strength:g} accuracy {score:.3f}", flush=True)


if __name__ == "__main__":
    main()
