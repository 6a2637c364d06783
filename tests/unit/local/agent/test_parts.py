"""Parts of the agent that stand alone: volumes' files, devices, ports, images, logs, overlays."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from athanor.api import labels
from athanor.kit import crilog
from athanor.kit.times import parse_rfc3339
from athanor.local.agent import images, leftovers, overlay, recall
from athanor.local.agent.devices import GPU, Devices, NotEnough, Simulated, chosen_for
from athanor.local.agent.files import Entry, write
from athanor.local.agent.kubelet.metrics import Look, rates
from athanor.local.agent.node import Settings
from athanor.local.agent.ports import SIZE, PortBlocks
from athanor.local.agent.supervised import Supervised

ME = (os.getuid(), os.getgid())


def test_files_change_all_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    assert write(folder, {"a": Entry(b"1"), "sub/b": Entry(b"2", 0o600)}, "1", ME)
    held = (folder / "..data").resolve()
    assert not write(folder, {"a": Entry(b"1"), "sub/b": Entry(b"2", 0o600)}, "2", ME)
    assert write(folder, {"a": Entry(b"3")}, "3", ME)
    assert (folder / "a").read_bytes() == b"3" and not (folder / "sub").exists()
    assert not held.exists() and (folder / "a").is_symlink()


def test_devices_are_given_once_and_again_after_release() -> None:
    devices = Devices([Simulated("4xA100")])
    assert devices.capacity() == {GPU: "4"} and devices.labels()["nvidia.com/gpu.product"] == "A100"
    assert devices.labels()["athanor.dev/simulated-gpus"] == "true"
    given = devices.assign("p", "c", {GPU: 2}, ["1", "3"])
    assert [d.id for d in given] == ["1", "3"]
    assert devices.assign("p", "c", {GPU: 2}, []) == given
    assert devices.environment(given)["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert [d.id for d in devices.assign("q", "c", {GPU: 2}, [])] == ["0", "2"]
    with pytest.raises(NotEnough):
        devices.assign("r", "c", {GPU: 1}, [])
    devices.release("p")
    devices.restore("s", "c", {GPU: ["1"]})
    assert [d.id for d in devices.assign("r", "c", {GPU: 1}, [])] == ["3"]
    with pytest.raises(ValueError, match="write it like 8xA100"):
        Simulated("many")


def test_only_the_controllers_label_makes_an_annotation_heard() -> None:
    said = {"annotations": {labels.DEVICES: "0,1"}}
    assert chosen_for(said) == []
    assert chosen_for({**said, "labels": {labels.CHOSEN: "true"}}) == ["0", "1"]


def test_shares_of_a_device_are_given_to_several() -> None:
    devices = Devices([Simulated("2xA100")])
    for pod in ("p", "q"):
        given = devices.share(pod, "c", ["1"])
        assert [d.id for d in given] == ["1"]
        assert devices.environment(given)["CUDA_VISIBLE_DEVICES"] == "1"
    assert devices.held("q", "c") == {GPU: ["1"]}
    assert [d.id for d in devices.assign("r", "c", {GPU: 1}, [])] == ["0"], "no share is taken"
    with pytest.raises(NotEnough):
        devices.share("s", "c", ["2"])
    for pod in ("p", "q"):
        devices.release(pod)
    assert [d.id for d in devices.assign("s", "c", {GPU: 1}, [])] == ["1"]


def test_gangs_keep_their_ports(tmp_path: Path) -> None:
    blocks = PortBlocks(tmp_path / "ports.json")
    one, two = blocks.first_of("d/one"), blocks.first_of("d/two")
    assert abs(one - two) >= SIZE
    again = PortBlocks(tmp_path / "ports.json")
    assert (again.first_of("d/two"), again.first_of("d/one")) == (two, one)
    again.keep({"d/one"})
    assert PortBlocks(tmp_path / "ports.json").first_of("d/one") == one


def test_answers_may_come_after_news_of_others(tmp_path: Path) -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = json.loads(await reader.readline())
            for line in ({"event": "exit", "key": "other"}, {"id": asked["id"], "ok": True}):
                writer.write(json.dumps(line).encode() + b"\n")
                await writer.drain()
                await asyncio.sleep(0.01)
            writer.close()
            await writer.wait_closed()
            served.set()

        served = asyncio.Event()
        (tmp_path / "run").mkdir()
        path = str(tmp_path / "run" / "supervisor.sock")
        async with await asyncio.start_unix_server(serve, path):
            supervised = Supervised(tmp_path, "")
            assert await supervised.ask_files("execute") == ({"id": 1, "ok": True}, [])
            await served.wait()

    asyncio.run(main())


def test_a_command_that_cannot_start_has_a_kubelets_reason() -> None:
    run = recall.Run(name="c", attempt=0, started_at=1.0)
    failed = {"failed": {"message": "no such file"}, "code": 127, "signal": 0, "finishedAt": 2.0}
    ended = recall.ended(run, failed)
    assert (ended.reason, ended.message) == ("StartError", "no such file")
    assert ended.exit_code == 128


def test_images() -> None:
    own = images.resolve("host")
    assert images.resolve("") == own and own.python == sys.executable
    version = ".".join(map(str, sys.version_info[:2]))
    named = images.resolve(f"python:{version}")
    assert named.path and Path(named.python).exists()
    for name, reason in (
        ("nginx:1", "ErrImageNeverPull"), ("python:2.99", "ErrImageNeverPull"),
        ("venv://relative", "InvalidImageName"), ("venv:///nowhere", "ErrImageNeverPull"),
    ):  # fmt: skip
        with pytest.raises(images.NoImage) as caught:
            images.resolve(name)
        assert caught.value.hold.reason == reason


def log_file(path: Path, count: int) -> Path:
    lines = [
        f"2026-01-01T00:00:{i:02d}.000000000Z {'stderr' if i % 2 else 'stdout'} F line {i}\n"
        for i in range(count)
    ]
    path.write_text("".join(lines))
    return path


def read(path: Path, wish: crilog.Wish) -> list[str]:
    async def main() -> bytes:
        return b"".join([chunk async for chunk in crilog.read(path, wish, lambda: False)])

    return asyncio.run(main()).decode().splitlines()


def test_logs_as_they_are_asked_for(tmp_path: Path) -> None:
    path = log_file(tmp_path / "0.log", 30)
    assert read(path, crilog.Wish(tail=2)) == ["line 28", "line 29"]
    assert read(path, crilog.Wish(tail=0)) == []
    assert len(read(path, crilog.Wish(tail=99))) == 30
    assert read(path, crilog.Wish(limit=8)) == ["line 0", "l"]
    assert read(path, crilog.Wish(stream="stderr", tail=4)) == ["line 27", "line 29"]
    stamped = read(path, crilog.Wish(tail=1, timestamps=True))
    assert stamped == ["2026-01-01T00:00:29.000000000Z line 29"]
    since = parse_rfc3339("2026-01-01T00:00:28Z")
    assert read(path, crilog.Wish(since=since)) == ["line 28", "line 29"]
    assert read(path, crilog.Wish(since=since + 0.5)) == ["line 29"]
    old = tmp_path / "0.log.1"
    path.rename(old)
    log_file(path, 1)
    assert len(read(path, crilog.Wish())) == 31


def test_a_followed_log_goes_on_through_rotation(tmp_path: Path) -> None:
    path = log_file(tmp_path / "0.log", 1)
    going = [True]

    async def main() -> list[bytes]:
        found = []
        async for chunk in crilog.read(path, crilog.Wish(follow=True), lambda: going[0]):
            found.append(chunk)
            if len(found) == 1:
                path.rename(tmp_path / "0.log.1")
                log_file(path, 2)
            else:
                going[0] = False
        return found

    assert asyncio.run(main()) == [b"line 0\n", b"line 0\nline 1\n"]


def test_an_overlay_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def install(root: Path, target: Path, requirements: str, env: images.Environment) -> None:
        built.append(requirements)
        target.mkdir()

    monkeypatch.setattr(overlay, "_install", install)
    env = images.resolve("host")
    threads = [
        threading.Thread(target=overlay.build, args=(tmp_path, "a\nb", env)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert overlay.digest("b\n\na ", env) == overlay.digest("a\nb", env)


def test_leftovers_of_pods_that_are_gone(tmp_path: Path) -> None:
    settings = Settings(name="n", data=tmp_path)
    for uid in ("keep", "gone"):
        (settings.pods / uid).mkdir(parents=True)
        (settings.logs / f"d_p_{uid}").mkdir(parents=True)
    (settings.pods / "gone" / "file").write_bytes(b"12345")
    found = leftovers.sweep(settings, ["keep"])
    assert (found.pods, found.logs, found.freed) == (("gone",), ("d_p_gone",), 5)
    assert [p.name for p in settings.pods.iterdir()] == ["keep"]


def test_runs_are_recalled_from_the_supervisor_and_the_status() -> None:
    state = {"exitCode": 3, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": None}
    pod = {
        "metadata": {"uid": "u"},
        "status": {"containerStatuses": [
            {"name": "a", "restartCount": 2, "state": {"waiting": {}}, "lastState": {
                "terminated": state}},
            {"name": "b", "restartCount": 0, "state": {
                "running": {"startedAt": "2026-01-01T00:00:00Z"}}},
        ]},
    }  # fmt: skip
    listed = [{"key": "u/c/1", "startedAt": 5.0, "exit": {
        "code": 137, "signal": 9, "oom": True, "startedAt": 5.0, "finishedAt": 6.0}}]  # fmt: skip
    runs = {(r.name, r.attempt): r for r in recall.recall(pod, listed, 99.0)}
    assert runs["a", 2].exit_code == 3
    assert (runs["b", 0].reason, runs["b", 0].exit_code) == ("ContainerStatusUnknown", 137)
    assert (runs["c", 1].reason, runs["c", 1].finished_at) == ("OOMKilled", 6.0)


def test_use_is_the_difference_of_two_looks() -> None:
    before = Look(10.0, {"a/main/0": {"cpu": 4_000_000_000, "memory": 1}})
    new = {"a/main/0": {"cpu": 5_000_000_000, "memory": 7}, "b/main/0": {"cpu": 500_000_000}}
    measured = rates(before, Look(12.0, new))
    assert measured.window == 2.0
    # a run that began meanwhile has used all of its time since then
    assert measured.runs == {"a/main/0": (500_000_000, 7), "b/main/0": (250_000_000, 0)}


def test_an_interpreter_without_its_usual_names_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, to in (("python3.12", "/bin/true"), ("python3", "/bin/false")):
        (folder / name).symlink_to(to)
    assert images.environment(folder / "python3.12").unnamed
    for name in images.NAMES:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("python3.12")
    assert not images.environment(folder / "python3.12").unnamed
