"""Boosted trees over all ranks with XGBoost: each holds its share of the rows, all get one model.

    athanor submit xgboost --workers 2 -- python train_xgboost.py

Rank 0 starts the tracker beside its own work. Runs alone too: `python train_xgboost.py`.
"""

from __future__ import annotations

import hashlib
import os

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from xgboost import collective
from xgboost.tracker import RabitTracker

try:
    import athanor_progress as progress
except ImportError:  # outside of Athanor
    progress = None

ROUNDS = 30


class Report(xgboost.callback.TrainingCallback):
    """Tells the platform how far we are."""

    def after_iteration(self, model, epoch, evals_log) -> bool:
        """Once a round."""
        if progress:
            progress.report(epoch + 1, ROUNDS, logloss=evals_log["train"]["logloss"][-1])
        return False


def main() -> None:
    """Train."""
    ranks = int(os.environ.get("DMLC_NUM_WORKER", 1))
    rank = int(os.environ.get("DMLC_TASK_ID", 0))
    uri = os.environ.get("DMLC_TRACKER_URI", "127.0.0.1")
    port = int(os.environ.get("DMLC_TRACKER_PORT", 0))
    tracker = None
    if rank == 0:
        tracker = RabitTracker(host_ip="0.0.0.0", port=port, n_workers=ranks, sortby="task")
        tracker.start()
        port = tracker.worker_args()["dmlc_tracker_port"]

    features, labels = load_breast_cancer(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        features, labels, test_size=0.25, random_state=1
    )
    world = {
        "dmlc_communicator": "rabit",
        "dmlc_tracker_uri": uri,
        "dmlc_tracker_port": port,
        "dmlc_task_id": str(rank),
    }
    with collective.CommunicatorContext(**world):
        share = xgboost.DMatrix(train_x[rank::ranks], train_y[rank::ranks])
        model = xgboost.train(
            {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1},
            share, ROUNDS, evals=[(share, "train")], verbose_eval=False, callbacks=[Report()],
        )  # fmt: skip
        right = ((model.predict(xgboost.DMatrix(test_x)) > 0.5) == test_y).mean()
        digest = hashlib.sha256(model.save_raw("json")).hexdigest()[:12]
        print(f"rank {collective.get_rank()} of {collective.get_world_size()}: "
              f"model {digest} accuracy {right:.3f}", flush=True)  # fmt: skip
        if rank == 0 and "ATHANOR_OUTPUT_DIR" in os.environ:
            model.save_model(os.path.join(os.environ["ATHANOR_OUTPUT_DIR"], "model.json"))
    if tracker is not None:
        tracker.wait_for()


if __name__ == "__main__":
    main()
