"""Handwritten digits with TensorFlow over all workers (MultiWorkerMirroredStrategy).

    athanor submit tensorflow --workers 2 -- python train_tensorflow.py

The strategy finds the other workers in TF_CONFIG.
"""

from __future__ import annotations

import json
import os

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

STEPS = 60


def main() -> None:
    """Train."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    rank = config.get("task", {}).get("index", 0)
    size = strategy.num_replicas_in_sync

    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    mine_x = tf.constant(images[rank:1400:size])
    mine_y = tf.one_hot(labels[rank:1400:size], 10)
    with strategy.scope():
        weights = tf.Variable(tf.zeros((64, 10)))
        bias = tf.Variable(tf.zeros(10))

    @tf.function
    def step(x, y):
        def replica(x, y):
            with tf.GradientTape() as tape:
                scores = x @ weights + bias
                loss = tf.reduce_mean(
                    tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=scores)
                )
            gradients = tape.gradient(loss, [weights, bias])
            context = tf.distribute.get_replica_context()
            for variable, gradient in zip([weights, bias], gradients, strict=True):
                mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient)
                variable.assign_sub(1.0 * mean)
            return loss

        return strategy.reduce(
            tf.distribute.ReduceOp.MEAN, strategy.run(replica, args=(x, y)), axis=None
        )

    for number in range(1, STEPS + 1):
        loss = step(mine_x, mine_y)
        if number % 20 == 0:
            print(f"step {number}/{STEPS} loss {float(loss):.4f}", flush=True)
    right = np.argmax(images[1400:] @ weights.numpy() + bias.numpy(), 1) == labels[1400:]
    print(f"worker {rank} of {size}: accuracy {right.mean():.3f}", flush=True)


if __name__ == "__main__":
    main()
