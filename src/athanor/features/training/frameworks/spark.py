"""Spark: the driver rank runs a standalone master and then the application; executors join it.

The application's master is set in the environment (MASTER): `spark-submit app.py` and a plain
`python app.py` both find it. The driver's end is the job's; an executor restarts alone.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.api.training import RanksRule
from athanor.features.training.frameworks.wiring import (
    PORT,
    SELF,
    JobWorld,
    Refused,
    Wiring,
    in_shell,
    port,
    ports,
    started,
    words,
)

DRIVER = "driver"
FIND = (
    'home=${SPARK_HOME:-$(python -c "import os, pyspark; '
    'print(os.path.dirname(pyspark.__file__))")}; export SPARK_HOME="$home"; '
)
START_DRIVER = (
    FIND + '"$home/bin/spark-class" org.apache.spark.deploy.master.Master --host "$ATHANOR_HOST" '
    '--port "$ATHANOR_PORT" --webui-port "$ATHANOR_PORT_2" >&2 & master=$!; "$@"; code=$?; '
    'kill "$master"; exit $code'
)
START_EXECUTOR = (
    FIND + 'exec "$home/bin/spark-class" org.apache.spark.deploy.worker.Worker --host '
    '"$ATHANOR_HOST" --work-dir "${TMPDIR:-/tmp}/spark" --webui-port 0 '
    '${SPARK_WORKER_CORES:+--cores "$SPARK_WORKER_CORES"} '
    '${SPARK_WORKER_MEMORY:+--memory "$SPARK_WORKER_MEMORY"} "$MASTER"'
)
PROPERTIES = (
    "--conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false "
    "--conf spark.driver.host=$(ATHANOR_HOST) --conf spark.driver.port=$(ATHANOR_PORT_1) "
    "pyspark-shell"
)


def wire(world: JobWorld) -> Wiring:
    """One driver with the master, executors that join it."""
    if world.role(DRIVER) is None:
        raise Refused("framework spark needs a role driver with one replica: it runs the command")

    def container(role: str, given: JSON) -> JSON:
        own = words(given)
        if role == DRIVER:
            return started(given, in_shell(START_DRIVER, own)) if own else given
        return given if own else started(given, ["sh", "-c", START_EXECUTOR])

    return Wiring(
        env={
            **ports(3),
            "ATHANOR_HOST": SELF,
            "MASTER": f"spark://{world.host(DRIVER, 0)}:{PORT}",
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DRIVER_PORT": port(1),
            "PYSPARK_SUBMIT_ARGS": PROPERTIES,
        },
        restart="Rank",
        container=container,
        success=[RanksRule(ranks={DRIVER: [0]})],
    )
