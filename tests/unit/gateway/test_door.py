"""The gateway's group behind the real API server: logs of pods that are gone, code for jobs."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from athanor import AsyncClient
from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.gateway import ROOT
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.api.scheduling import Progress
from athanor.assembly import aggregated, bootstrap
from athanor.assembly.bootstrap import GATEWAY, RBAC
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.gateway.archive import Archive
from athanor.gateway.bundles import Bundles
from athanor.gateway.door import Door
from athanor.gateway.reports import Reports
from athanor.gateway.spaces import Spaces
from athanor.gateway.unused import Unused
from athanor.kit.clock import FixedClock
from athanor.kit.ids import SeededIds
from athanor.local.agent import archive
from athanor.local.apiserver.auth import bootstrap as roles
from athanor.local.apiserver.auth.auth import Auth
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.sdk.drive_async import AsyncDriver
from athanor.sdk.logs import Wish
from athanor.wire import calls
from athanor.wire.request import Request, User
from athanor.wire.status import ApiError
from tests.unit.gateway.asked import Asked, behind

MASTERS = ("system:masters",)
AT = "2026-11-30T12:00:0{}.000000001Z"


class World(NamedTuple):
    """A server whose gateway keeps things below a folder, and a road to it for anybody."""

    server: ApiServer
    door: Door
    bundles: Bundles
    archive: Archive
    clock: FixedClock

    def client(self, user: str, pod: str = "", uid: str = "") -> Client:
        backends = {"localhost:443": behind(self.door.serve, aggregated.FRONT)}
        groups = ["system:authenticated"]
        groups += ["system:serviceaccounts"] if user.startswith("system:serviceaccount:") else []
        groups += ["system:masters"] if user == "admin" else []
        bound = {"pod-name": (pod,), "pod-uid": (uid,)} if pod else {}
        extra = {f"authentication.kubernetes.io/{key}": value for key, value in bound.items()}
        who = User(name=user, groups=tuple(groups), extra=extra)
        return Client(InProcess(self.server.handle, user=who, backends=backends))

    def sdk(self, user: str) -> AsyncClient:
        return AsyncClient(driver=AsyncDriver(self.client(user).transport))


ADA = {
    "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding",
    "metadata": {"name": "ada", "namespace": "default"},
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
    "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ada"}],
}  # fmt: skip


@asynccontextmanager
async def world(root: Path, volume: int = 0) -> AsyncIterator[World]:
    clock, ids, store = FixedClock(1_796_000_000.0), SeededIds(0), Store.open(":memory:")
    auth = Auth(store, clock, b"k" * 32)
    server = ApiServer(store, clock=clock, ids=ids, authenticator=auth, authorizer=auth)
    server.core.observers.append(lambda s, old, new: auth.changed(s.key, old, new))
    await roles.reconcile(store, "2026-01-01T00:00:00Z", ids.uid, auth.changed)
    await roles.gather(store, auth.rbac, auth.changed)
    bundles = Bundles(root / "bundles", largest=1000, volume=volume)
    me = Client(InProcess(server.handle, user=User(name="me", groups=MASTERS)))
    archived, reports = Archive(root / "archive"), Reports(me)
    door = Door(archived, bundles, reports, Spaces(me), clock, lambda p: p.name == aggregated.FRONT)
    here = World(server, door, bundles, archived, clock)
    try:
        await bootstrap.ensure(here.client("admin"), [*bootstrap.manifests(), ADA])
        yield here
    finally:
        await server.close()
        await store.close()


def gone(root: Path, rank: int, created: str, lines: list[str], owner: str = "gang-1") -> None:
    """A pod of job `digits` that wrote something, ended, and was deleted."""
    uid = f"00000000-0000-0000-0000-0000000000{rank}{created[-2]}"
    pod: JSON = {
        "metadata": {
            "name": f"digits-worker-{rank}", "namespace": "default", "uid": uid,
            "creationTimestamp": created, "ownerReferences": [{"uid": owner}],
            "labels": {
                "athanor.dev/job": "digits", "athanor.dev/gang": "digits",
                "athanor.dev/pod-set": "worker", "athanor.dev/rank": str(rank),
            },
        },
        "spec": {"containers": [{"name": "main"}]},
    }  # fmt: skip
    folder = root / "logs" / uid
    archive.note(folder, pod)
    (folder / "main").mkdir()
    (folder / "main" / "0.log").write_text("".join(f"{line}\n" for line in lines))
    assert archive.keep(folder, root / "archive") is not None
    assert not folder.exists()


def told(root: Path) -> None:
    for rank in (0, 1):
        lines = [f"{AT.format(n)} stdout F step {n} of {rank}" for n in (1 + rank, 3 + rank)]
        gone(root, rank, f"2026-11-30T12:00:0{rank}Z", lines)


async def read(client: AsyncClient, name: str = "digits", **how: object) -> list[tuple[str, str]]:
    wish = Wish(**how)  # type: ignore[arg-type]
    return [(line.rank, line.text) async for line in client.logs(name, wish=wish)]


def test_logs_are_read_after_their_pods_are_gone(tmp_path: Path) -> None:
    async def main() -> None:
        told(tmp_path)
        async with world(tmp_path) as here:
            ada = here.sdk("ada")
            assert await read(ada) == [
                ("worker-0", "step 1 of 0"), ("worker-1", "step 2 of 1"),
                ("worker-0", "step 3 of 0"), ("worker-1", "step 4 of 1"),
            ]  # fmt: skip
            assert await read(ada, rank="1", tail=1) == [("worker-1", "step 4 of 1")]
            assert await read(ada, search=r"step [13]", tail=1) == [("worker-0", "step 3 of 0")]
            with pytest.raises(ValueError, match="no regular expression"):
                await read(ada, search="(")
            # another by that name, later: only its own lines, unless the first one is asked for
            gone(tmp_path, 0, "2026-11-30T12:00:09Z", [f"{AT.format(9)} stdout F new"], "gang-2")
            assert await read(ada) == [("worker-0", "new")]
            with pytest.raises(ApiError, match="not found"):
                await read(ada, "letters")

    asyncio.run(main())


def test_logs_are_for_those_who_may_see_the_namespace(tmp_path: Path) -> None:
    async def main() -> None:
        told(tmp_path)
        path = f"{ROOT}/namespaces/default/podlogs"
        async with world(tmp_path) as here:
            with pytest.raises(ApiError, match="forbidden") as refused:
                await here.client("bob")(calls.raw("GET", path))
            assert refused.value.reason == "Forbidden"
            listed = await here.client("ada")(calls.raw("GET", path))
            assert {one["pod"] for one in listed["items"]} == {"digits-worker-0", "digits-worker-1"}
            uid = listed["items"][0]["metadata"]["name"]
            for wrong in (f"{uid}/log?container=x", "../../etc", "none"):
                where, _, query = wrong.partition("?")
                pairs = [("container", "x")] if query else []
                with pytest.raises(ApiError) as told_why:
                    await here.client("ada")(calls.raw("GET", f"{path}/{where}", pairs))
                assert told_why.value.reason in ("BadRequest", "Forbidden")
            nobody = Asked("GET", path, who="somebody else")
            await here.door.serve(nobody)
            assert nobody.status == 401

    asyncio.run(main())


def test_logs_of_a_namespace_are_not_for_those_who_have_its_name_next(tmp_path: Path) -> None:
    async def main() -> None:
        path = f"{ROOT}/namespaces/default/podlogs"
        gone(tmp_path, 0, "2026-11-28T12:00:00Z", [f"{AT.format(0)} stdout F secret of before"])
        gone(tmp_path, 1, "2026-11-30T12:00:01Z", [f"{AT.format(1)} stdout F mine"])
        old, new = (f"00000000-0000-0000-0000-0000000000{end}" for end in ("00", "11"))
        async with world(tmp_path) as here:
            ada = here.client("ada")
            listed = (await ada(calls.raw("GET", path)))["items"]
            assert [one["metadata"]["name"] for one in listed] == [new]
            for which in (f"{path}/{old}", f"{path}/{old}/log"):
                with pytest.raises(ApiError) as refused:
                    await ada(calls.raw("GET", which))
                assert refused.value.reason == "NotFound"
            nowhere = f"{ROOT}/namespaces/nowhere/podlogs"
            assert (await here.client("admin")(calls.raw("GET", nowhere)))["items"] == []
            here.clock.advance(86_400)
            unused = Unused(here.client(GATEWAY), here.bundles, here.archive, here.clock)
            (tmp_path / "archive" / "nowhere").mkdir()
            (tmp_path / "archive" / "default" / "digits").rename(
                tmp_path / "archive" / "nowhere" / "digits"
            )
            gone(tmp_path, 1, "2026-11-30T12:00:01Z", [f"{AT.format(1)} stdout F mine"])
            gone(tmp_path, 2, "2026-11-28T12:00:00Z", [f"{AT.format(1)} stdout F before"])
            assert await unused.depart() == 3
            assert [path.name for path in (tmp_path / "archive").glob("*/*/*")] == [new]

    asyncio.run(main())


def test_the_oldest_logs_go_when_there_is_no_room(tmp_path: Path) -> None:
    for rank in (0, 1, 2):
        gone(tmp_path, rank, f"2026-11-30T12:00:0{rank}Z", ["x" * 1000])
    folders = sorted((tmp_path / "archive").glob("*/*/*"))
    for age, folder in enumerate(folders):
        os.utime(folder, (1000.0 + age, 1000.0 + age))
    assert Archive(tmp_path / "archive").trim(10_000) == 0
    assert Archive(tmp_path / "archive").trim(3_000) == 1
    assert sorted((tmp_path / "archive").glob("*/*/*")) == folders[1:]


def test_whoever_writes_most_makes_room(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    for space, uid, size in (("quiet", "a", 100), ("loud", "b", 900), ("loud", "c", 900)):
        (root / space / "job" / uid).mkdir(parents=True)
        (root / space / "job" / uid / "0.log").write_bytes(b"x" * size)
        os.utime(root / space / "job" / uid, (1000.0, 1000.0 + ord(uid)))
    assert Archive(root).trim(1000) == 1
    assert sorted(path.name for path in root.glob("*/*/*")) == ["a", "c"]


def test_code_comes_in_parts_and_is_whole_or_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        data = bytes(range(256)) * 3
        digest = hashlib.sha256(data).hexdigest()
        async with world(tmp_path) as here:
            ada = here.client("ada")
            path = f"{ROOT}/namespaces/default/bundles/{digest}"

            async def put(offset: int, part: bytes, *, last: bool = False) -> JSON:
                return await ada(calls.upload(path, part, offset=offset, last=last))

            assert not (await ada(calls.raw("GET", path)))["complete"]
            await put(0, data[:500])
            assert (await ada(calls.raw("GET", path)))["size"] == 500
            with pytest.raises(ApiError, match="500 bytes are there"):
                await put(400, b"again")
            with pytest.raises(ApiError, match="at most 1000 bytes"):
                await put(500, b"x" * 600)
            with pytest.raises(ApiError, match="upload it again"):
                await put(500, b"something else", last=True)
            await put(0, data[:500])
            assert (await put(500, data[500:], last=True))["complete"]
            assert (await put(0, b"never again"))["complete"]

            content = calls.text(Request(method="GET", path=f"{path}/content"))
            mine, other = (f"system:serviceaccount:{ns}:a" for ns in ("default", "kube-system"))
            assert await here.client(mine)(content) == data
            for stranger in (other, "bob", "ada"):
                with pytest.raises(ApiError) as refused:
                    await here.client(stranger)(content)
                assert refused.value.reason == "Forbidden"

    asyncio.run(main())


def test_a_rank_reports_for_itself_and_hears_of_a_checkpoint(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as here:
            container = {"name": "main", "image": "host"}
            notes = {"athanor.dev/checkpoint-requested": "2026-01-01T00:00:00Z"}
            body: JSON = {
                "metadata": {"name": "a-worker-0", "namespace": "default", "annotations": notes},
                "spec": {"containers": [container]},
            }  # fmt: skip
            made = await here.client("admin")(calls.create(of(Pod), body))
            path = f"{ROOT}/namespaces/default/podreports/a-worker-0"
            account, uid = "system:serviceaccount:default:default", made["metadata"]["uid"]
            report = calls.raw("PUT", path, body={"step": 3, "total": 9, "metrics": {"loss": 0.5}})
            answer = await here.client(account, "a-worker-0", uid)(report)
            assert answer["checkpointRequested"] == "2026-01-01T00:00:00Z"
            pod = await here.client("admin")(calls.get(Pod, "a-worker-0", "default"))
            told = msgspec.json.decode(pod.metadata.annotations[labels.PROGRESS], type=Progress)
            assert (told.step, told.total, told.metrics) == (3, 9, {"loss": 0.5})
            others = (
                here.client(account, "a-worker-1", uid), here.client(account),
                here.client("system:serviceaccount:other:default", "a-worker-0", uid),
                here.client("admin", "a-worker-0", uid),
            )  # fmt: skip
            for other in others:
                with pytest.raises(ApiError, match="does not speak for pod a-worker-0"):
                    await other(report)
            with pytest.raises(ApiError, match="UID in precondition"):
                await here.client(account, "a-worker-0", "another")(report)
            nonsense = calls.raw("PUT", path, body={"step": "three"})
            with pytest.raises(ApiError, match="this is no progress"):
                await here.client(account, "a-worker-0", uid)(nonsense)

    asyncio.run(main())
