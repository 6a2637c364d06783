"""Users of namespaces: each its own number, the same after a restart."""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest

from athanor.api.core import Namespace
from athanor.api.registry import of
from athanor.local.agent.node import UID_ANNOTATION, Node
from athanor.local.agent.ports import PortBlocks
from athanor.local.agent.uids import COUNT, FIRST, Uids
from athanor.testing import lab, virtual
from athanor.wire import calls


def twin(name: str) -> str:
    """Another name of the same number, as somebody finds it who may make namespaces."""
    wanted = crc32(name.encode()) % COUNT
    return next(t for n in count() if crc32((t := f"mine-{n}").encode()) % COUNT == wanted)


def test_no_two_namespaces_have_one_number(tmp_path: Path) -> None:
    path, other = tmp_path / "uids.json", twin("team")
    uids = Uids(path)
    first, second = uids.of("team"), uids.of(other)
    assert first == FIRST + crc32(b"team") % COUNT and second == first + 1
    again = Uids(path)
    assert (again.of(other), again.of("team")) == (second, first)
    assert path.stat().st_mode & 0o777 == 0o600


def test_who_has_a_namespaces_name_next_does_not_run_as_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with lab.server() as bed:
            node: Any = SimpleNamespace(
                client=bed.client, clock=bed.clock, uids=Uids(tmp_path / "uids.json"), users={}
            )
            notes = {"annotations": {UID_ANNOTATION: "1001"}}
            await bed.create({"metadata": {"name": "team", **notes}}, Namespace)
            assert await Node.uid_of(node, "team") == 1001
            await bed.client(calls.delete(of(Namespace), "team"))
            await asyncio.sleep(10)
            await bed.create({"metadata": {"name": "team"}}, Namespace)
            assert await Node.uid_of(node, "team") == FIRST + crc32(b"team") % COUNT

    monkeypatch.setattr(os, "getuid", lambda: 0)
    virtual.run(main)


def test_files_that_a_crash_left_half_written_stop_no_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("uids.json", "ports.json"):
        (tmp_path / name).write_text('{"a":')
    assert Uids(tmp_path / "uids.json").of("team") == FIRST + crc32(b"team") % COUNT
    assert PortBlocks(tmp_path / "ports.json").first_of("a") > 0
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * 2
