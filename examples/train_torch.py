"""Handwritten digits with PyTorch DDP, static or elastic, with checkpoints.

    athanor submit pytorch --workers 2 -- python train_torch.py
    athanor submit pytorch --elastic 1:3 --processes 1 -- python train_torch.py

Whoever joins or comes back goes on from the checkpoint that rank 0 writes after every epoch.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel

try:
    import athanor_progress as progress
except ImportError:  # outside of Athanor
    progress = None


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between epochs")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()

    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images / 16.0, dtype=torch.float32)
    labels = torch.tensor(labels)
    mine = slice(rank, 1400, size)

    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    saved = Path(os.environ.get("ATHANOR_CHECKPOINT_DIR", ".")) / "digits.pt"
    first = 0
    if saved.exists():
        state = torch.load(saved)
        first = state["epoch"]
        model.load_state_dict(state["model"])
        print(f"rank {rank} of {size} resumed from epoch {first}", flush=True)
    # ranks may have seen different files: the furthest of them counts
    start = torch.tensor(first)
    dist.broadcast(start, 0)

    for epoch in range(int(start) + 1, wish.epochs + 1):
        for _ in range(10):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images[mine]), labels[mine])
            loss.backward()
            optimizer.step()
        if rank == 0:
            draft = saved.with_suffix(".part")
            torch.save({"epoch": epoch, "model": model.state_dict()}, draft)
            draft.replace(saved)
            with torch.no_grad():
                accuracy = (model.module(images[1400:]).argmax(1) == labels[1400:]).float().mean()
            print(f"epoch {epoch}/{wish.epochs} world {size} loss {loss.item():.4f} "
                  f"accuracy {accuracy:.4f}", flush=True)  # fmt: skip
            if progress:
                progress.report(epoch, wish.epochs, loss=loss.item(), accuracy=float(accuracy))
                progress.saved(epoch)
        time.sleep(wish.pause)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
