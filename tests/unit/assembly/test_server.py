"""What the server says of the store that it opens."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from athanor.assembly import start
from athanor.assembly.layout import DataDir
from athanor.assembly.server import Server
from athanor.kit.clock import SystemClock
from athanor.local.store.model import Key
from tests.unit.local.store.helpers import body


def test_what_opening_found_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "athanor.assembly.server")
    data, left = DataDir(tmp_path / "data"), DataDir(tmp_path / "left")
    data.make()
    left.make()

    async def main() -> None:
        server = Server(data, SystemClock())
        for name in ("a", "b"):
            await server.store.put(Key("configmaps", "default", name), body(name), expect=0)
        for suffix in ("", "-wal"):  # as kill -9 leaves it
            shutil.copy(f"{data.store}{suffix}", f"{left.store}{suffix}")
        await server.close()
        await Server(left, SystemClock()).close()

    asyncio.run(main())
    new, recovered = (r for r in caplog.records if r.name == "athanor.assembly.server")
    assert (new.levelname, recovered.levelname) == ("INFO", "WARNING")
    assert new.getMessage().startswith(f"{data.store}: new; the last change is revision")
    assert "pages recovered from the write-ahead log; the last" in recovered.getMessage()


def test_up_repeats_what_was_found(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    before = "2026-01-01 10:00:00,000 WARNING of an earlier start\n"
    log.write_text(before)
    assert start.found(log, len(before)) == ""
    log.write_text(before + "2026-01-02 10:00:00,000 WARNING x: recovered\n")
    assert start.found(log, len(before)) == "x: recovered"
    log.write_text(before + "2026-01-02 10:00:00,000 INFO x: format 1\n")
    assert start.found(log, len(before)) == ""
