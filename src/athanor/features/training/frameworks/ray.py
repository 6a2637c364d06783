"""Ray: the head rank runs the cluster's head and then the job; all other roles are workers.

The head waits for its workers, then runs the command with RAY_ADDRESS set; its end is the job's.
Workers join the head and restart alone; with `elastic` they may come and go.
"""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.api.training import RanksRule
from athanor.features.training.frameworks.wiring import (
    PORT,
    JobWorld,
    Refused,
    Wiring,
    in_shell,
    port,
    ports,
    started,
    words,
)

HEAD = "head"
MEMORY = "${RAY_OBJECT_STORE_MEMORY:+--object-store-memory=$RAY_OBJECT_STORE_MEMORY}"
CORES = "${RAY_CPUS:+--num-cpus=$RAY_CPUS}"
START_HEAD = (
    f'ray start --head --port="$ATHANOR_PORT" --node-ip-address="$ATHANOR_IP" '
    f"--include-dashboard=false {MEMORY} {CORES} --disable-usage-stats >&2 || exit; "
    'python -c "$ATHANOR_RAY_WAIT" || exit; "$@"; code=$?; ray stop >&2; exit $code'
)
START_WORKER = (
    'until ray start --address="$RAY_ADDRESS" --node-ip-address="$ATHANOR_IP" '
    f"{MEMORY} {CORES} --disable-usage-stats --block >&2; do sleep 1; tries=$((tries + 1)); "
    '[ "$tries" -lt 60 ] || exit 1; done'
)
ADDRESS: JSON = {
    "name": "ATHANOR_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
}  # fmt: skip
WAIT = (
    "import os, sys, time, ray; ray.init(address='auto', log_to_driver=False, "
    "logging_level='error'); want = int(os.environ['ATHANOR_RAY_NODES'])\n"
    "while sum(n['Alive'] for n in ray.nodes()) < want: time.sleep(0.2)\n"
)
"""Run in the head before the job: until as many nodes are there as the job needs at least."""


def wire(world: JobWorld) -> Wiring:
    """One head, workers that join it."""
    head = world.role(HEAD)
    if head is None:
        raise Refused("framework ray needs a role head with one replica, which runs the command")
    elastic = world.job.spec.elastic
    fewest = {role.name: role.replicas for role in world.roles}
    if elastic is not None:
        fewest[elastic.role] = elastic.min

    def container(role: str, given: JSON) -> JSON:
        own = words(given)
        given = {**given, "env": [ADDRESS, *(given.get("env") or [])]}
        if role == HEAD:
            return started(given, in_shell(START_HEAD, own)) if own else given
        return given if own else started(given, ["sh", "-c", START_WORKER])

    return Wiring(
        env={
            **ports(2),
            "RAY_ADDRESS": f"{world.host(HEAD, 0)}:{PORT}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "120",  # a busy machine needs more than Ray's 30
            "RAY_DASHBOARD_PORT": port(1),
            "ATHANOR_RAY_NODES": str(sum(fewest.values())),
            "ATHANOR_RAY_WAIT": WAIT,
        },
        restart="Rank",
        container=container,
        success=[RanksRule(ranks={HEAD: [0]})],
        live=True,
    )
