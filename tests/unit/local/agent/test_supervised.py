"""Meeting supervisors: nobody asks before the agent has taken in what a new one has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from athanor.api.meta import JSON
from athanor.local.agent.supervised import Gone, Met, Refused, Supervised, Unborn

ANSWERS: dict[str, JSON] = {
    "hello": {"ok": True, "pid": 7, "isolation": "sandbox"},
    "list": {"ok": True, "containers": [{"key": "u/c/0"}], "sandboxes": [
        {"pod": "u", "address": "10.88.0.9"}
    ]},
    "start": {"ok": False, "error": "no room", "unborn": True},
    "stop": {"ok": False, "error": "no such thing"},
    "usage": {"ok": True},
}  # fmt: skip


class Told:
    """A supervisor that answers as it is told to, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may = asyncio.Event()
        self.doors: list[asyncio.StreamWriter] = []
        self.news = asyncio.Condition()

    async def heard(self, *ops: str) -> None:
        """Wait until these were asked last."""
        async with self.news:
            await self.news.wait_for(lambda: self.asked[-len(ops) :] == list(ops))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.doors.append(writer)
        while line := await reader.readline():
            said = json.loads(line)
            async with self.news:
                self.asked.append(said["op"])
                self.news.notify_all()
            if said["op"] == "list":
                await self.may.wait()
            if said["op"] in ANSWERS:
                writer.write(json.dumps({"id": said["id"], **ANSWERS[said["op"]]}).encode())
                writer.write(b"\n")
        writer.close()


@asynccontextmanager
async def supervisor(data: Path) -> AsyncIterator[Told]:
    told = Told()
    (data / "run").mkdir(exist_ok=True)
    async with await asyncio.start_unix_server(told.serve, data / "run" / "supervisor.sock"):
        yield told
        for door in told.doors:
            door.close()
            await door.wait_closed()


def test_nobody_asks_before_the_supervisor_was_met(tmp_path: Path) -> None:
    async def main() -> None:
        async with supervisor(tmp_path) as told:
            supervised = Supervised(tmp_path, "")
            met: list[Met] = []

            def meet(now: Met) -> None:
                assert not supervised.connected
                met.append(now)

            connecting = asyncio.ensure_future(supervised.connect(meet))
            await told.heard("hello", "list")
            assert not supervised.connected
            with pytest.raises(Refused):
                await supervised.ask("usage")
            told.may.set()
            await connecting
            assert supervised.connected and (await supervised.ask("usage"))["ok"]
            assert told.asked == ["hello", "list", "usage"]
            assert met[0].sandboxes == {"u": "10.88.0.9"} and supervised.pid == 7
            await supervised.close()

    asyncio.run(main())


def test_a_new_connection_is_met_like_the_first_and_what_hung_is_gone(tmp_path: Path) -> None:
    async def main() -> None:
        async with supervisor(tmp_path) as told:
            told.may.set()
            supervised = Supervised(tmp_path, "")
            met: list[Met] = []
            again = asyncio.Event()

            def meet(now: Met) -> None:
                met.append(now)
                again.set()

            await supervised.connect(met.append)
            keeping = asyncio.ensure_future(supervised.run(meet))
            hanging = asyncio.ensure_future(supervised.ask("sandbox"))
            await told.heard("sandbox")
            told.doors[0].close()
            with pytest.raises(Gone):
                await hanging
            assert not supervised.connected
            await again.wait()
            assert len(met) == 2 and (await supervised.ask("usage"))["ok"]
            keeping.cancel()
            await supervised.close()

    asyncio.run(main())


def test_what_was_never_begun_is_told_from_what_failed(tmp_path: Path) -> None:
    async def main() -> None:
        async with supervisor(tmp_path) as told:
            told.may.set()
            supervised = Supervised(tmp_path, "")
            await supervised.connect(lambda met: None)
            with pytest.raises(Unborn, match="no room"):
                await supervised.ask("start")
            with pytest.raises(Refused, match="no such thing") as caught:
                await supervised.ask("stop")
            assert not isinstance(caught.value, Unborn | Gone)
            await supervised.close()

    asyncio.run(main())
