"""Handwritten digits with DeepSpeed's engine (ZeRO stage 1), data parallel, on CPUs or GPUs.

    athanor submit deepspeed --workers 2 -- python train_deepspeed.py

Every rank runs DeepSpeed's own launcher without ssh; the engine writes and loads its checkpoints.
"""

from __future__ import annotations

import os

import deepspeed
import torch
from sklearn.datasets import load_digits
from torch import nn

EPOCHS = 15
CONFIG = {
    "train_micro_batch_size_per_gpu": 64,
    "zero_optimization": {"stage": 1},
    "zero_allow_untested_optimizer": True,
}


def main() -> None:
    """Train."""
    torch.set_num_threads(1)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    # ranks in pods of their own share no memory: nothing is compiled for that
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=backend)
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images / 16.0, dtype=torch.float32)
    labels = torch.tensor(labels)
    mine = range(rank, 1400, size)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=CONFIG)
    saved = os.environ.get("ATHANOR_CHECKPOINT_DIR", "checkpoints")
    _, state = engine.load_checkpoint(saved)
    first = state["epoch"] if state else 0

    for epoch in range(first + 1, EPOCHS + 1):
        for start in range(0, len(mine) - 63, 64):
            batch = list(mine[start : start + 64])
            loss = nn.functional.cross_entropy(
                engine(images[batch].to(engine.device)), labels[batch].to(engine.device)
            )
            engine.backward(loss)
            engine.step()
        engine.save_checkpoint(saved, client_state={"epoch": epoch})
    with torch.no_grad():
        found = engine(images[1400:].to(engine.device)).argmax(1).cpu()
    accuracy = (found == labels[1400:]).float().mean()
    print(f"rank {rank} of {size} by {backend}: accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
