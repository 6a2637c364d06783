"""Handwritten digits with Spark: rows are spread over the executors, the driver has the model.

athanor submit spark --workers 2 -- python train_spark.py
"""

from __future__ import annotations

import socket

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession
from sklearn.datasets import load_digits


def main() -> None:
    """Train."""
    spark = SparkSession.builder.appName("digits").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    images, labels = load_digits(return_X_y=True)
    rows = [
        (float(label), Vectors.dense(image / 16.0))
        for image, label in zip(images, labels, strict=True)
    ]
    data = spark.createDataFrame(rows, ["label", "features"]).repartition(4)
    train, test = data.randomSplit([0.8, 0.2], seed=1)
    model = LogisticRegression(maxIter=20, regParam=0.01).fit(train)
    right = model.transform(test).filter("label = prediction").count() / test.count()
    hosts = spark.sparkContext.range(64, numSlices=8).map(lambda _: socket.gethostname())
    print(f"executors {sorted(set(hosts.collect()))}", flush=True)
    print(f"master {spark.sparkContext.master}: accuracy {right:.3f}", flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
