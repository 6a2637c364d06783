"""`up` says what is wrong before anything runs, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from athanor.assembly import processes, start
from athanor.assembly.layout import DataDir
from athanor.kit.clock import FixedClock, SystemClock

CLOCK = SystemClock()


def prepared(folder: Path, **more: object) -> start.Prepared:
    wishes = start.Wishes(**{"data": str(folder), "port": 0, **more})
    return start.prepare(wishes, CLOCK)


def let_go(made: start.Prepared) -> None:
    for descriptor in (made.lock, *made.sockets):
        os.close(descriptor)


def test_everything_made_is_its_owners_alone(tmp_path: Path) -> None:
    made = prepared(tmp_path / "d")
    let_go(made)
    for path in (tmp_path / "d").rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 in (0, 0o011), f"{path} is {mode:o}"
        assert not path.is_file() or not mode & 0o077, f"{path} is {mode:o}"


def test_a_second_platform_is_told_who_runs(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    with pytest.raises(start.Trouble, match=f"already up .process {os.getpid()}"):
        prepared(tmp_path)
    let_go(made)
    let_go(prepared(tmp_path))


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(start.Trouble, match=f"port {port} of 127.0.0.1 is taken") as trouble:
            prepared(tmp_path, port=port)
    assert "--port 0" in trouble.value.hint


def test_the_port_of_the_last_run_is_taken_again(tmp_path: Path) -> None:
    made = prepared(tmp_path)
    let_go(made)
    again = prepared(tmp_path, port=None)
    assert again.server == made.server
    let_go(again)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(start.Trouble, match=r"cannot listen on 192\.0\.2\.1"):
        prepared(tmp_path, listen="192.0.2.1")


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    with pytest.raises(start.Trouble, match="cannot write to"):
        prepared(tmp_path / "d")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "ROOM", 1 << 62)
    with pytest.raises(start.Trouble, match="No space left on device: .* KiB are free") as caught:
        prepared(tmp_path / "d")
    assert "make room" in caught.value.hint


def test_a_clock_before_the_keys_is_named(tmp_path: Path) -> None:
    let_go(prepared(tmp_path))
    day = 86400.0
    for back, fine in ((-300 * day, True), (-400 * day, False)):
        wishes, clock = start.Wishes(str(tmp_path), port=0), FixedClock(CLOCK.now() + back)
        if fine:
            let_go(start.prepare(wishes, clock))
            continue
        with pytest.raises(start.Trouble, match=r"the clock says 20\d\d-.* are valid from"):
            start.prepare(wishes, clock)
    let_go(prepared(tmp_path))


def test_down_ends_nothing_that_it_did_not_start(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    data.make()
    me = processes.seen(os.getpid())
    processes.write(data.run / "server.pid", me._replace(started="1"))
    assert start.down(data) == []
    assert not list(data.run.glob("*.pid"))
