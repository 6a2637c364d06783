"""Logs of pods that end, read from the API server into the archive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from athanor.api.core import Node, Pod
from athanor.api.meta import JSON
from athanor.api.registry import of
from athanor.client.inproc import InProcess
from athanor.client.protocol import Client
from athanor.gateway.archive import Archive
from athanor.gateway.collect import AT_ONCE, PIECE, Collector, Lines
from athanor.testing import lab, virtual
from athanor.wire import calls
from athanor.wire.request import Answer, Request, Stream
from athanor.wire.status import ApiError

AT = b"2026-01-01T00:00:00.000000000Z"
Writes = Callable[[str], AsyncIterator[bytes]]
"""What a pod's container writes, by the pod's name."""


@asynccontextmanager
async def collecting(root: Path, writes: Writes) -> AsyncIterator[lab.Lab]:
    """A server with one node, whose kubelet has the logs, and a collector at work."""

    async def kubelet(request: Request) -> Answer:
        return Stream(chunks=writes(request.path.split("/")[3]))

    async with lab.server() as bed:
        status = {
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        }
        await bed.create({"metadata": {"name": "n"}, "status": status}, Node)
        road = InProcess(bed.server.handle, user=lab.ADMIN, backends={"10.0.0.1:10250": kubelet})
        work = asyncio.ensure_future(
            Collector(Client(road), root / "archive", bed.dice.random).run()
        )
        try:
            yield bed
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work


async def pod(bed: lab.Lab, name: str, phase: str, *, leaving: bool = False) -> str:
    """A gang's pod on the node; its uid."""
    meta = {"name": name, "namespace": "default", "labels": {"athanor.dev/gang": "digits"}}
    container = {"name": "main", "image": "x"}
    spec: JSON = {"nodeName": "n", "containers": [container], "terminationGracePeriodSeconds": 3600}
    made = await bed.create({"metadata": meta, "spec": spec}, Pod)
    await bed.patch(Pod, name, {"status": {"phase": phase}}, subresource="status")
    if leaving:
        await bed.client(calls.delete(of(Pod), name, "default"))
    return str(made["metadata"]["uid"])


async def kept(root: Path, uid: str) -> bytes:
    """What the archive has of a pod, as soon as it has it."""
    for _ in range(600):
        if list((root / "archive").glob(f"default/*/{uid}")):
            break
        await asyncio.sleep(1)
    text = Archive(root / "archive").text("default", uid, "", {}, 0.0)
    return b"".join([chunk async for chunk in text])


def test_pods_that_take_hours_to_leave_hold_up_no_others(tmp_path: Path) -> None:
    async def writes(name: str) -> AsyncIterator[bytes]:
        yield AT + b" hello from " + name.encode() + b"\n"
        if name.startswith("slow"):
            await asyncio.sleep(3600)

    async def main() -> None:
        async with collecting(tmp_path, writes) as bed:
            for number in range(AT_ONCE):
                await pod(bed, f"slow-{number}", "Running", leaving=True)
            await asyncio.sleep(1)
            uid = await pod(bed, "quick", "Succeeded")
            assert await kept(tmp_path, uid) == b"hello from quick\n"

    virtual.run(main)


def test_a_line_of_any_length_is_kept_and_little_of_it_is_held(tmp_path: Path) -> None:
    async def writes(name: str) -> AsyncIterator[bytes]:
        yield AT + b" "
        for _ in range(64):
            yield b"." * 50_000
        yield b" done\n" + AT + b" next"

    async def main() -> None:
        async with collecting(tmp_path, writes) as bed:
            uid = await pod(bed, "bar", "Succeeded")
            assert await kept(tmp_path, uid) == b"." * 3_200_000 + b" done\nnext\n"
            rows = next((tmp_path / "archive").glob("*/*/*/main/0.log")).read_bytes().splitlines()
            assert max(map(len, rows)) < 3 * PIECE

    virtual.run(main)


def test_a_log_that_breaks_off_is_read_again_and_never_gets_shorter(tmp_path: Path) -> None:
    tries: list[str] = []

    async def writes(name: str) -> AsyncIterator[bytes]:
        tries.append(name)
        yield AT + b" one\n"
        if tries.count(name) == 1:
            yield AT + b" tw"
            raise ApiError("ServiceUnavailable", "the stream broke")
        if name == "lost":
            raise ApiError("ServiceUnavailable", "the node is away")
        yield AT + b" two\n"

    async def main() -> None:
        async with collecting(tmp_path, writes) as bed:
            uids = [await pod(bed, name, "Succeeded") for name in ("whole", "lost")]
            assert await kept(tmp_path, uids[0]) == b"one\ntwo\n"
            await asyncio.sleep(60)
            assert tries.count("lost") > 2
            await bed.client(calls.delete(of(Pod), "lost", "default", grace_seconds=0))
            assert await kept(tmp_path, uids[1]) == b"one\ntw\n"

    virtual.run(main)


def test_lines_are_the_same_in_whatever_chunks_they_come() -> None:
    text = b"".join(AT + b" " + word + b"\n" for word in (b"a b", b"", b"c\rd"))
    whole = Lines()
    wanted = whole.feed(text) + whole.end()
    assert wanted.split(b"\n")[1] == AT + b" stdout F "
    for size in (1, 7, 40):
        lines = Lines()
        parts = [lines.feed(text[n : n + size]) for n in range(0, len(text), size)]
        assert b"".join(parts) + lines.end() == wanted
