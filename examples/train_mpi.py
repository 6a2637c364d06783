"""Logistic regression over all ranks with MPI: each holds its share of the rows.

    athanor submit mpi --workers 2 -- python train_mpi.py

The launcher runs mpiexec, which starts a process in every worker through the platform's API; no
ssh is needed. Rank 0 writes a checkpoint now and then; a restarted job goes on from it. A rank
that fails ends all of them, which would wait for it for ever (`python -m mpi4py` does it, too).
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import numpy as np
from mpi4py import MPI
from sklearn.datasets import load_digits

STEPS = 60


def say(line: str) -> None:
    """Print a line and its end in one write: mpiexec passes on what ranks write as it comes."""
    print(line + "\n", end="", flush=True)


def main() -> None:
    """Train."""
    world = MPI.COMM_WORLD
    images, labels = load_digits(return_X_y=True)
    images = np.hstack([images / 16.0, np.ones((len(images), 1))])
    wanted = np.eye(10)[labels]
    train = slice(world.rank, 1400, world.size)
    mine, right = images[train], wanted[train]

    saved = Path(os.environ.get("ATHANOR_CHECKPOINT_DIR", ".")) / "weights.npz"
    first, weights = 0, np.zeros((65, 10))
    if world.rank == 0 and saved.exists():
        with np.load(saved) as file:
            first, weights = int(file["step"]), file["weights"]
    first, weights = world.bcast((first, weights))

    for step in range(first, STEPS):
        scores = np.exp(mine @ weights - (mine @ weights).max(1, keepdims=True))
        chances = scores / scores.sum(1, keepdims=True)
        gradient = world.allreduce(mine.T @ (chances - right)) / 1400
        weights -= 1.5 * gradient
        if world.rank == 0 and step % 20 == 19:
            np.savez(saved, step=step + 1, weights=weights)
            say(f"step {step + 1}/{STEPS}")
    accuracy = float(((images[1400:] @ weights).argmax(1) == labels[1400:]).mean())
    same = world.allreduce(float(weights.sum()), op=MPI.MAX) == world.allreduce(
        float(weights.sum()), op=MPI.MIN
    )
    where = MPI.Get_processor_name()
    say(f"rank {world.rank} of {world.size} on {where}: accuracy {accuracy:.3f}, all equal {same}")


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)
