"""Flink: the job manager rank runs the cluster's head and then the job; task managers join it.

The command is Flink's own client (`flink run job.jar`, `flink run -py job.py`); its settings go by
`-D` on every command line, since a port may be the platform's to choose (with a blank after it:
`jobmanager.sh` takes anything else for a host). The job manager's end is the job's; a task manager
restarts alone. A job manager without a command only serves: some other role submits to it.
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
    program,
    started,
    words,
)

MANAGER = "jobmanager"
SHARED = (
    '-D jobmanager.rpc.address="$JOB_MANAGER_RPC_ADDRESS" -D jobmanager.rpc.port="$ATHANOR_PORT" '
    '-D rest.address="$JOB_MANAGER_RPC_ADDRESS" -D rest.port="$ATHANOR_PORT_1" '
    "-D jobmanager.bind-host=0.0.0.0 -D taskmanager.bind-host=0.0.0.0 -D rest.bind-address=0.0.0.0 "
)
"""Flink's own file of settings binds everything to localhost, where nobody else finds it."""
FIND = (
    "home=${FLINK_HOME:-$(python -c 'import pyflink; print(pyflink.__path__[0])' 2>/dev/null"
    ' || echo /opt/flink)}; export FLINK_HOME="$home" PATH="$home/bin:$PATH" '
    'FLINK_LOG_DIR="${FLINK_LOG_DIR:-/tmp}"; '
)
"""$FLINK_HOME, or that of the interpreter's own PyFlink, or where the official image has it."""
MANAGE = '"$home/bin/jobmanager.sh" start-foreground ' + SHARED
SERVE = FIND + "exec " + MANAGE
START_MANAGER = (
    FIND + MANAGE + ">&2 & manager=$!; "
    'until flink list -m "$JOB_MANAGER_RPC_ADDRESS:$ATHANOR_PORT_1" >/dev/null 2>&1; do '
    'kill -0 "$manager" || exit 1; sleep 1; done; "$@"; code=$?; kill "$manager"; exit $code'
)
START_TASKS = (
    FIND
    + 'exec "$home/bin/taskmanager.sh" start-foreground '
    + SHARED
    + '-D taskmanager.host="$ATHANOR_HOST" '
    '-D taskmanager.numberOfTaskSlots="$TASK_MANAGER_NUMBER_OF_TASK_SLOTS"'
)


def wire(world: JobWorld) -> Wiring:
    """One job manager, task managers that join it."""
    if world.role(MANAGER) is None:
        raise Refused(
            "framework flink needs a role jobmanager with one replica, which runs the command"
        )

    def container(role: str, given: JSON) -> JSON:
        own = words(given)
        if role != MANAGER:
            return given if own else started(given, ["sh", "-c", START_TASKS])
        if not own:
            return started(given, ["sh", "-c", SERVE])
        if program(own[0]) == "flink" and own[1:2] == ["run"]:
            at = ["-m", f"{world.host(MANAGER, 0)}:{port(1)}"]
            own = [own[0], "run", *at, *own[2:]]
        return started(given, in_shell(START_MANAGER, own))

    return Wiring(
        env={
            **ports(2),
            "ATHANOR_HOST": SELF,
            "JOB_MANAGER_RPC_ADDRESS": world.host(MANAGER, 0),
            "JOB_MANAGER_RPC_PORT": PORT,
            "TASK_MANAGER_NUMBER_OF_TASK_SLOTS": str(world.processes),
        },
        restart="Rank",
        container=container,
        success=[RanksRule(ranks={MANAGER: [0]})],
    )
