"""Uploaded code stays while something names it, and has its share of the volume, not all of it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from athanor.api.gateway import ROOT
from athanor.api.meta import JSON
from athanor.api.registry import find
from athanor.assembly.bootstrap import GATEWAY
from athanor.client.protocol import Client
from athanor.gateway.unused import OLDER, PARTS, Unused
from athanor.wire import calls
from athanor.wire.status import ApiError
from tests.unit.gateway.test_door import World, world


async def upload(
    client: Client, data: bytes, namespace: str = "default", *, last: bool = True
) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = f"{ROOT}/namespaces/{namespace}/bundles/{digest}"
    await client(calls.upload(path, data, offset=0, last=last))
    return digest


def job(digest: str) -> JSON:
    container = {"name": "main", "image": "host", "command": ["true"]}
    template = {"spec": {"containers": [container]}}
    return {
        "framework": "generic", "code": {"bundle": f"sha256:{digest}"},
        "roles": [{"name": "worker", "replicas": 1, "template": template}],
    }  # fmt: skip


async def created(here: World, plural: str, spec: JSON) -> None:
    resource = find(plural)
    assert resource is not None
    body: JSON = {
        "apiVersion": resource.api_version, "kind": resource.kind, "spec": spec,
        "metadata": {"name": "it", "namespace": "default"},
    }  # fmt: skip
    await here.client("ada")(calls.create(resource, body))


def there(root: Path) -> set[str]:
    return {path.name for path in (root / "bundles").glob("*/*")}


def test_code_goes_when_nothing_names_it_for_a_day(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as here:
            ada = here.client("ada")
            names = ("job", "cron", "sweep", "flow", "nobody")
            by = {name: await upload(ada, name.encode()) for name in names}
            left = await upload(ada, b"begun", last=False)
            await created(here, "trainingjobs", job(by["job"]))
            planned = {"kind": "TrainingJob", "spec": job(by["cron"])}
            await created(here, "crons", {"schedule": "0 0 1 1 *", "template": planned})
            objective = {"metric": "loss", "goal": "Minimize"}
            await created(here, "sweeps", {
                "objective": objective, "parameters": [{"name": "x", "min": 0, "max": 1}],
                "template": {"spec": job(by["sweep"])},
            })  # fmt: skip
            step = {"name": "one", "template": {"spec": job(by["flow"])}}
            await created(here, "workflows", {"steps": [step]})
            unused = Unused(here.client(GATEWAY), here.bundles, here.archive, here.clock)

            def aged(seconds: float) -> None:
                for path in (tmp_path / "bundles").glob("*/*"):
                    os.utime(path, (here.clock.now() - seconds,) * 2)

            aged(PARTS - 1)
            assert await unused.look() == 0
            aged(PARTS)
            assert await unused.look() == 1 and f"{left}.part" not in there(tmp_path)
            aged(OLDER)
            assert await unused.look() == 1
            assert there(tmp_path) == {f"{by[name]}.tar.gz" for name in names[:-1]}

    asyncio.run(main())


def test_nothing_goes_when_what_is_named_cannot_be_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as here:
            digest = await upload(here.client("ada"), b"code")
            os.utime(tmp_path / "bundles" / "default" / f"{digest}.tar.gz", (0, 0))
            with pytest.raises(ApiError, match="forbidden"):
                await Unused(here.client("bob"), here.bundles, here.archive, here.clock).look()
            assert there(tmp_path) == {f"{digest}.tar.gz"}

    asyncio.run(main())


def test_code_leaves_room_for_logs_and_for_others(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path, volume=4000) as here:
            admin = here.client("admin")
            await upload(admin, b"a" * 700)
            with pytest.raises(ApiError, match="namespace default keeps .* delete jobs") as refused:
                await upload(admin, b"b" * 200, last=False)
            assert refused.value.reason == "Forbidden"
            for other in ("two", "three", "four", "five"):
                await upload(admin, b"c" * (650 if other == "five" else 600), other)
            with pytest.raises(ApiError, match="no room is left .* larger volume") as full:
                await upload(admin, b"d" * 60, "six")
            assert full.value.code == 507
            assert sum(p.stat().st_size for p in (tmp_path / "bundles").glob("*/*")) <= 3200

    asyncio.run(main())
