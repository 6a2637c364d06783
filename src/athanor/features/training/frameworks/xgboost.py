"""XGBoost: every rank is a worker of one Rabit tracker, which rank 0 starts beside its own work.

The program starts `xgboost.tracker.RabitTracker(host_ip="0.0.0.0", port=DMLC_TRACKER_PORT,
n_workers=DMLC_NUM_WORKER, sortby="task")` where DMLC_TASK_ID is 0, and passes the tracker's address
to `xgboost.collective.CommunicatorContext`. The tracker's port must not be probed. A dead worker
ends the world for all.
"""

from __future__ import annotations

from athanor.features.training.frameworks.wiring import INDEX, PORT, SIZE, JobWorld, Wiring


def wire(world: JobWorld) -> Wiring:
    """The tracker's address, and who we are."""
    return Wiring(
        env={
            "DMLC_TRACKER_URI": world.first,
            "DMLC_TRACKER_PORT": PORT,
            "DMLC_NUM_WORKER": SIZE,
            "DMLC_TASK_ID": INDEX,
            "DMLC_ROLE": "worker",
            "MASTER_ADDR": world.first,
            "MASTER_PORT": PORT,
            "WORLD_SIZE": SIZE,
            "RANK": INDEX,
        }
    )
