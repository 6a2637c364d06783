"""Workspaces on a whole cluster in virtual time: idle, stopped with their home kept, resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from athanor.api import reach
from athanor.api.core import PersistentVolumeClaim, Pod
from athanor.api.meta import JSON
from athanor.api.scheduling import Gang, Pool, Queue
from athanor.api.workspaces import Workspace
from athanor.features.gangs import apply as gangs
from athanor.features.scheduling import apply as scheduling
from athanor.features.workspaces import apply as workspaces
from athanor.features.workspaces.build import TOKEN, Gateway
from athanor.features.workspaces.plan import _use
from athanor.kit.times import parse_rfc3339, rfc3339
from athanor.testing import lab, virtual
from athanor.wire.status import ApiError

Main = Callable[[lab.Lab], Coroutine[Any, Any, None]]
GATEWAY = Gateway(url="https://127.0.0.1:1", secret="secret")


def workspace(name: str = "w", **spec: object) -> JSON:
    idle = {"afterSeconds": 60, "stopAfterSeconds": 120}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"requests": {"cpu": "5"}, "idle": idle, **spec},
    }


def live(main: Main) -> None:
    async def everything() -> None:
        every = [gangs.controller(), scheduling.controller(), workspaces.controller(GATEWAY)]
        async with lab.cluster(every, nodes=1) as bed:
            await bed.create({"metadata": {"name": "default"}, "spec": {}}, Pool)
            pools = [{"pool": "default"}]
            await bed.create({"metadata": {"name": "default"}, "spec": {"pools": pools}}, Queue)
            await main(bed)

    virtual.run(everything)


async def phase(bed: lab.Lab, wanted: str, name: str = "w", within: float = 60) -> Workspace:
    return await bed.until(Workspace, name, lambda w: w.status.phase == wanted, within=within)


async def used(bed: lab.Lab, **told: object) -> None:
    body = {"status": {"activity": {"web": rfc3339(bed.clock.now()), **told}}}
    await bed.patch(Workspace, "w", body, subresource="status")


def test_what_nobody_uses_is_idle_then_stopped_and_its_hardware_is_free() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(workspace(), Workspace)
        up = await phase(bed, "Running")
        assert up.status.url == "https://127.0.0.1:1/workspaces/default/w/"
        pod = await bed.get(Pod, "ws-w-main-0")
        env = {e["name"]: e["value"] for e in _container(await bed.get(Gang, "ws-w"))["env"]}
        assert env["ATHANOR_WORKSPACE_TOKEN"] == GATEWAY.token(up.metadata.uid)
        assert pod.metadata.name
        await bed.create(workspace("other"), Workspace)
        await phase(bed, "Queued", "other")
        await asyncio.sleep(50)
        await used(bed, busySeconds=10.0)
        await asyncio.sleep(50)
        assert (await bed.get(Workspace, "w")).status.phase == "Running"
        idle = await phase(bed, "Idle", within=20)
        assert idle.status.message.startswith("nobody has used it since")
        gone = await phase(bed, "Stopped", within=80)
        assert (gone.status.reason, gone.status.url) == ("Idle", "")
        assert "longer than 120 s" in gone.status.message
        assert gone.status.use == "6% of 3 min"
        assert await bed.get(PersistentVolumeClaim, "ws-w-home")
        await phase(bed, "Running", "other")
        await asyncio.sleep(60)
        assert (await bed.get(Workspace, "w")).status.phase == "Stopped", "it stays stopped"

    live(main)


def _container(gang: Gang) -> JSON:
    found: JSON = gang.spec.pod_sets[0].template["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("app", ["jupyter", "code-server"])
def test_no_argument_of_a_process_holds_its_token(app: str) -> None:
    async def main(bed: lab.Lab) -> None:
        made = await bed.create(workspace(app=app), Workspace)
        await phase(bed, "Running")
        container = _container(await bed.get(Gang, reach.workspace_gang("w")))
        env = {one["name"]: one["value"] for one in container["env"]}
        token = GATEWAY.token(made["metadata"]["uid"])
        assert env[TOKEN] == token and (env.get("JUPYTER_TOKEN") == token) == (app == "jupyter")
        assert not any(token in word or TOKEN in word for word in container["command"])

    live(main)


def test_it_is_started_again_in_its_old_home_and_counts_anew() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(workspace(), Workspace)
        await phase(bed, "Running")
        stopped = await phase(bed, "Stopped", within=200)
        home = (await bed.get(PersistentVolumeClaim, "ws-w-home")).metadata.uid
        await bed.patch(Workspace, "w", {"spec": {"starts": 1}})
        asked = bed.clock.now()
        up = await phase(bed, "Running")
        assert parse_rfc3339(up.status.running_since or "") - asked <= 3
        assert up.status.claimed_seconds >= 120 > stopped.status.starts
        assert (await bed.get(PersistentVolumeClaim, "ws-w-home")).metadata.uid == home
        await asyncio.sleep(50)
        assert (await bed.get(Workspace, "w")).status.phase == "Running"

    live(main)


def test_its_owner_stops_and_starts_it() -> None:
    async def main(bed: lab.Lab) -> None:
        await bed.create(workspace(stopped=True), Workspace)
        await phase(bed, "Stopped")
        await bed.patch(Workspace, "w", {"spec": {"stopped": False}})
        await phase(bed, "Running")
        await bed.patch(Workspace, "w", {"spec": {"stopped": True}})
        off = await phase(bed, "Stopped")
        assert (off.status.reason, off.status.stopped) == ("StoppedByOwner", "")
        assert (await bed.get(Gang, "ws-w")).status.admission is None

    live(main)


def test_it_follows_its_hours() -> None:
    async def main(bed: lab.Lab) -> None:
        # virtual time begins on 15 January 2027, 08:00 UTC
        hours = {"start": "0 9 * * *", "stop": "10 9 * * *", "timeZone": "Europe/Berlin"}
        never = {"afterSeconds": 0, "stopAfterSeconds": 0}
        await bed.create(workspace(hours=hours, idle=never), Workspace)
        await phase(bed, "Running")
        off = await phase(bed, "Stopped", within=700)
        assert off.status.reason == "Hours"
        at = datetime.fromtimestamp(bed.clock.now(), ZoneInfo("Europe/Berlin"))
        assert (at.hour, at.minute) == (9, 10)
        await bed.patch(Workspace, "w", {"spec": {"starts": 1}})
        await phase(bed, "Running")
        await asyncio.sleep(60)
        assert (await bed.get(Workspace, "w")).status.phase == "Running", "started by hand"

    live(main)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"app": "emacs"}, "spec.app"),
        ({"app": "command"}, "spec.command: .*needs the command"),
        ({"idle": {"afterSeconds": 90, "stopAfterSeconds": 60}}, "idle before it is stopped"),
        ({"hours": {"start": "daily"}}, "spec.hours.start: .*five fields"),
        ({"hours": {"timeZone": "Mars/Base"}}, "spec.hours.timeZone"),
        ({"requests": {"cpu": "many"}}, "spec.requests"),
        ({"storage": "big"}, "spec.storage"),
    ],
)
def test_wrong_workspaces_are_refused_when_they_are_written(spec: JSON, said: str) -> None:
    async def main(bed: lab.Lab) -> None:
        with pytest.raises(ApiError, match=said):
            await bed.create(workspace(**spec), Workspace)

    live(main)


@pytest.mark.parametrize(
    ("spec", "activity", "held", "use"),
    [
        ({}, None, 60.0, ""),
        ({}, {"busySeconds": 30}, 60.0, "50% of 1 min"),
        ({"gpu": {"milli": 500}}, {"busySeconds": 3600}, 7200.0, "50% of 2.0 h"),
        ({"gpu": {"milli": 500}}, {"busySeconds": 3600, "gpuBusySeconds": 72}, 7200.0,
         "50%, GPU 1% of 2.0 h"),
        ({}, {"busySeconds": 3600, "gpuBusySeconds": 72}, 7200.0, "50% of 2.0 h"),
    ],
)  # fmt: skip
def test_use_tells_of_gpus_where_they_are_claimed_and_measured(
    spec: JSON, activity: JSON | None, held: float, use: str
) -> None:
    whole = {**workspace(), "status": {"activity": activity}}
    whole["spec"] = {**whole["spec"], **spec}
    assert _use(msgspec.convert(whole, Workspace), held) == use
