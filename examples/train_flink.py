"""Handwritten digits with Flink: the cluster averages the pixels of each digit, one row a digit.

    athanor submit flink --workers 2 -- flink run -py train_flink.py

The nearest of the ten averages tells what an image shows.
"""

from __future__ import annotations

import numpy as np
from pyflink.table import EnvironmentSettings, TableEnvironment
from sklearn.datasets import load_digits


def main() -> None:
    """Train."""
    images, labels = load_digits(return_X_y=True)
    names = [f"p{i}" for i in range(images.shape[1])]
    rows = [
        (int(label), *map(float, image))
        for label, image in zip(labels[:1400], images[:1400], strict=True)
    ]
    table = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    table.get_config().set("parallelism.default", "2")
    table.create_temporary_view("digits", table.from_elements(rows, ["digit", *names]))
    averages = ", ".join(f"AVG({name})" for name in names)
    found = table.execute_sql(f"SELECT digit, {averages} FROM digits GROUP BY digit")
    centres = {row[0]: np.array([row[i + 1] for i in range(len(names))]) for row in found.collect()}
    order = sorted(centres)
    every = np.stack([centres[digit] for digit in order])
    nearest = ((images[1400:, None] - every) ** 2).sum(2).argmin(1)
    right = (np.array(order)[nearest] == labels[1400:]).mean()
    print(f"{len(order)} digits averaged by Flink: accuracy {right:.4f}", flush=True)


if __name__ == "__main__":
    main()
