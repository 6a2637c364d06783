"""Independent ranks, the standard library alone: each fits a line by gradient descent.

    athanor submit generic --workers 4 -- python train_generic.py

Every rank learns from data of its own seed, reports its steps, and goes on from its checkpoint
when it is restarted or was asked to make room. A rank that fails restarts alone.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

try:
    import athanor_progress as progress
except ImportError:  # outside of Athanor
    progress = None

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
PAUSE = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
SLOPE, OFFSET = 3.0, -1.0


def batch(dice: random.Random, size: int = 64) -> list[tuple[float, float]]:
    """Noisy points of the line that is to be found."""
    points = [dice.uniform(-1, 1) for _ in range(size)]
    return [(x, SLOPE * x + OFFSET + dice.gauss(0, 0.1)) for x in points]


def main() -> None:
    """Fit."""
    rank = int(os.environ.get("ATHANOR_INDEX", 0))
    checkpoint = Path(os.environ.get("ATHANOR_CHECKPOINT_DIR", ".")) / f"line-{rank}.json"
    model = {"step": 0, "slope": 0.0, "offset": 0.0}
    if checkpoint.exists():
        model = json.loads(checkpoint.read_text())
        print(f"rank {rank} goes on from step {model['step']}", flush=True)
    dice = random.Random(f"{rank}/{model['step']}")
    for step in range(model["step"] + 1, STEPS + 1):
        points = batch(dice)
        errors = [model["slope"] * x + model["offset"] - y for x, y in points]
        pull = sum(e * x for e, (x, _) in zip(errors, points, strict=True)) / len(points)
        model["slope"] -= 0.5 * pull
        model["offset"] -= 0.5 * sum(errors) / len(points)
        model["step"] = step
        loss = sum(e * e for e in errors) / len(points)
        if progress:
            progress.report(step, STEPS, loss=loss)
        if step % 20 == 0 or (progress and progress.checkpoint_requested()):
            draft = checkpoint.with_suffix(".part")
            draft.write_text(json.dumps(model))
            draft.replace(checkpoint)
            if progress:
                progress.saved(step)
            print(f"rank {rank} step {step}/{STEPS} loss {loss:.4f}", flush=True)
        time.sleep(PAUSE)
    print(f"rank {rank}: y = {model['slope']:.2f} x {model['offset']:+.2f}", flush=True)


if __name__ == "__main__":
    main()
