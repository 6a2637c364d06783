"""What the platform's nodes and jobs look like in several verbs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from athanor.api.meta import JSON
from athanor.cli import overview
from athanor.cli.failures import FAILED, USAGE
from athanor.cli.root import invoke
from athanor.cli.world import World
from athanor.kit.clock import FixedClock
from athanor.kit.times import rfc3339_micro
from athanor.sdk.client import Client
from athanor.sdk.drive import SyncDriver, SyncStream
from athanor.wire.request import Request, Response
from athanor.wire.status import ApiError

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("ready", "cordoned", "said"),
    [
        ("True", False, "Ready"),
        ("True", True, "Ready,SchedulingDisabled"),
        ("Unknown", True, "NotReady,SchedulingDisabled"),
    ],
)
def test_a_node_is_called_as_kubectl_calls_it(ready: str, cordoned: bool, said: str) -> None:
    node = {
        "metadata": {"name": "n"}, "spec": {"unschedulable": True} if cordoned else {},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }  # fmt: skip
    assert overview.state(overview.node_line(node, [])) == said


class Cluster:
    """An API server's answers by path; what is not among them is forbidden."""

    def __init__(self, **lists: list[JSON]) -> None:
        self.lists = lists

    def send(self, request: Request) -> Response:
        """A list, the version, or a refusal."""
        last = request.path.rpartition("/")[2]
        if last == "version":
            return Response(body=b'{"gitVersion": "v1.36.3"}')
        if last in self.lists:
            return Response(body=msgspec.json.encode({"items": self.lists[last]}))
        return ApiError("Forbidden", f"{last} is forbidden").response()

    def stream(self, request: Request) -> SyncStream:
        """Nothing is followed here."""
        raise ApiError("Forbidden", request.path)

    def close(self) -> None:
        """Nothing is open."""


def athanor(tmp_path: Path, *words: str, **lists: list[JSON]) -> int:
    def connect(world: World) -> Client:
        return Client(driver=SyncDriver(Cluster(**lists)), namespace="team")

    where = ["--data", str(tmp_path), "--kubeconfig", str(tmp_path / "other")]
    return invoke([*where, *words], World(connect, FixedClock(NOW)))


def lease(namespace: str, holder: str, at: float) -> JSON:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": rfc3339_micro(at)}
    meta = {"name": "athanor-controllers", "namespace": namespace}
    return {"metadata": meta, "spec": spec}


def test_who_may_not_see_nodes_sees_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = {"metadata": {"name": "a", "namespace": "team"}, "status": {"phase": "Running"}}
    assert athanor(tmp_path, "status", trainingjobs=[job], pods=[]) == 0
    told = capsys.readouterr()
    assert "jobs       1 Running" in told.out and "leader" not in told.out
    assert "you may not see the nodes" in told.out + told.err


@pytest.mark.parametrize(
    ("leases", "said"),
    [
        ([], "no controller leads: kubectl -n athanor-system get pods"),
        ([lease("ml", "c-1", NOW - 5)], "c-1 of the controllers, in namespace ml"),
        ([lease("ml", "c-1", NOW - 500)], "no controller leads: kubectl -n ml get pods"),
        ([lease("ml", "", NOW - 5)], "no controller leads: kubectl -n ml get pods"),
    ],
)
def test_a_clusters_status_tells_who_leads(
    leases: list[JSON], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert athanor(tmp_path, "status", trainingjobs=[], pods=[], nodes=[], leases=leases) == 0
    assert f"leader     {said}\n" in capsys.readouterr().out


def test_a_gang_that_no_job_has_made_holds_hardware_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = {"name": "main", "resources": {"requests": {"cpu": "2"}}}
    sets = [{"name": "worker", "count": 3, "template": {"spec": {"containers": [box]}}}]
    status = {"phase": "Running", "admission": {"queue": "q", "pool": "p"},
              "startedAt": "2023-11-14T22:13:10Z"}  # fmt: skip
    meta = {"name": "their-job", "namespace": "team"}
    held = {"metadata": meta, "spec": {"podSets": sets}, "status": status}
    waits = {"metadata": {"name": "waits", "namespace": "team"}, "status": {"phase": "Pending"}}
    assert athanor(tmp_path, "top", trainingjobs=[], gangs=[held, waits]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["team", "gang/their-job", "Running", "6", "cpu", "-", "10s"]


def test_what_is_explained_may_be_named_with_its_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert athanor(tmp_path, "why", "pod/x") == USAGE
    assert "kubectl describe pod/x" in capsys.readouterr().err
    assert athanor(tmp_path, "why", "gang/x", gangs=[]) == FAILED
    assert "error: x is forbidden" in capsys.readouterr().err
