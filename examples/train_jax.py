"""Handwritten digits with JAX, data parallel over all ranks, with checkpoints.

    athanor submit jax --workers 2 -- python train_jax.py

Runs alone too: `python train_jax.py`. Every rank holds its share of the data and the whole model;
gradients are averaged over all ranks by the compiler, because the data is sharded and the model is
replicated. Rank 0 writes a checkpoint after every epoch; a restarted job goes on from it. JAX takes
SIGTERM for a notice of preemption, and lets all ranks agree after which epoch they leave. A rank
that fails ends at once: usually it would wait for the others, and they for it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

import jax
import numpy as np
from jax import numpy as jnp
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

try:
    import athanor_progress as progress
except ImportError:  # outside of Athanor
    progress = None

TOLD_TO_GO = 143
"""The exit code of whoever ended by SIGTERM."""


def new_model(seed: int, hidden: int) -> dict[str, np.ndarray]:
    """Two layers of weights, the same on every rank."""
    dice = np.random.default_rng(seed)  # noqa: TID251 - the dice have a seed
    return {
        "w1": dice.normal(0, 0.1, (64, hidden)).astype(np.float32),
        "b1": np.zeros(hidden, np.float32),
        "w2": dice.normal(0, 0.1, (hidden, 10)).astype(np.float32),
        "b2": np.zeros(10, np.float32),
    }


def scores(model, images):
    """Logits of a two-layer perceptron."""
    return jnp.tanh(images @ model["w1"] + model["b1"]) @ model["w2"] + model["b2"]


def loss(model, images, labels):
    """Mean cross entropy."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores(model, images)), labels[:, None], 1)
    return -chosen.mean()


@jax.jit
def step(model, images, labels, rate):
    """One step of gradient descent; with sharded images this is where ranks talk."""
    value, gradient = jax.value_and_grad(loss)(model, images, labels)
    return jax.tree.map(lambda weight, g: weight - rate * g, model, gradient), value


def load(path: Path, fresh: dict[str, np.ndarray]) -> tuple[int, dict[str, np.ndarray]]:
    """The epoch and model of a checkpoint, or epoch 0 and a fresh model."""
    if not path.exists():
        return 0, fresh
    with np.load(path) as saved:
        return int(saved["epoch"]), {name: saved[name] for name in fresh}


def save(path: Path, epoch: int, model: dict[str, np.ndarray]) -> None:
    """Write a checkpoint in one step: a torn one would be worse than none."""
    draft = path.with_suffix(".part.npz")
    np.savez(draft, epoch=epoch, **model)
    draft.replace(path)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between epochs")
    wish = parser.parse_args()

    ranks, rank = (
        int(os.environ.get("JAX_NUM_PROCESSES", 1)),
        int(os.environ.get("JAX_PROCESS_ID", 0)),
    )
    if ranks > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(num_processes=ranks, process_id=rank)
    checkpoints = Path(os.environ.get("ATHANOR_CHECKPOINT_DIR", "checkpoints"))
    outputs = Path(os.environ.get("ATHANOR_OUTPUT_DIR", "outputs"))
    checkpoint = checkpoints / "digits.npz"
    if rank == 0:
        checkpoints.mkdir(parents=True, exist_ok=True)
        outputs.mkdir(parents=True, exist_ok=True)

    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, random_state=1
    )
    share = len(train_x) // ranks
    mine = slice(rank * share, (rank + 1) * share)

    mesh = Mesh(np.array(jax.devices()), ("data",))
    sharded, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    all_x = jax.make_array_from_process_local_data(sharded, train_x[mine])
    all_y = jax.make_array_from_process_local_data(sharded, train_y[mine].astype(np.int32))

    first, model = (
        load(checkpoint, new_model(0, wish.hidden)) if rank == 0 else (0, new_model(0, wish.hidden))
    )
    if ranks > 1:  # rank 0 says where everybody begins
        first, model = multihost_utils.broadcast_one_to_all((np.int32(first), model))
    first, model = int(first), jax.device_put(model, whole)
    if first:
        print(f"resumed from epoch {first}", flush=True)

    for epoch in range(first + 1, wish.epochs + 1):
        for _ in range(10):
            model, value = step(model, all_x, all_y, wish.rate)
        local = {name: np.asarray(weight.addressable_data(0)) for name, weight in model.items()}
        accuracy = float((np.asarray(scores(local, test_x)).argmax(1) == test_y).mean())
        if rank == 0:
            save(checkpoint, epoch, local)
            print(
                f"epoch {epoch}/{wish.epochs} loss {float(value):.4f} accuracy {accuracy:.4f}",
                flush=True,
            )
        if progress:
            progress.report(epoch, wish.epochs, loss=float(value), accuracy=accuracy)
            if rank == 0:
                progress.saved(epoch)
        if ranks > 1 and multihost_utils.reached_preemption_sync_point(epoch):
            print(f"told to go after epoch {epoch}", flush=True)
            sys.exit(TOLD_TO_GO)
        time.sleep(wish.pause)

    if rank == 0:
        np.savez(outputs / "model.npz", **local)
        print(f"model written to {outputs / 'model.npz'}, accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        os._exit(1)
