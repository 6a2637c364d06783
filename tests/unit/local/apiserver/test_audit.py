"""The audit log: what is in it, what never is, rotation, a disk that is full."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from athanor.kit.clock import FixedClock
from athanor.local.apiserver import audit as audits
from athanor.local.apiserver.audit import Audit
from athanor.local.apiserver.observe import Observatory
from athanor.local.apiserver.route import route
from athanor.local.store.store import Store
from athanor.wire.request import Request, User

ALICE = User(name="alice", groups=("team",))
HEADERS = {"audit-id": "abc", "user-agent": "kubectl", "authorization": "Bearer very-secret"}


def _request(method: str, path: str, **query: str) -> Request:
    return Request(
        method=method, path=path, query=tuple(query.items()), headers=HEADERS,
        body=b'{"data": "hidden"}', remote="127.0.0.1",
    )  # fmt: skip


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_did_what(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"

    async def main() -> None:
        audit = Audit(path, FixedClock())
        request = _request("POST", "/api/v1/namespaces/team/secrets")
        audit.record(request, route(request), ALICE, 201, 0.5)
        audit.close()

    asyncio.run(main())
    (line,) = _lines(path)
    assert line["kind"] == "Event"
    assert line["apiVersion"] == "audit.k8s.io/v1"
    assert line["auditID"] == "abc"
    assert (line["level"], line["stage"], line["verb"]) == (
        "Metadata",
        "ResponseComplete",
        "create",
    )
    assert line["user"] == {"username": "alice", "groups": ["team"]}
    assert line["objectRef"] == {"resource": "secrets", "namespace": "team", "apiVersion": "v1"}
    assert line["responseStatus"] == {"code": 201}
    assert line["requestReceivedTimestamp"] < line["stageTimestamp"]
    assert "secret" not in path.read_text().replace("secrets", "")
    assert "hidden" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("method", "path", "code", "kept"),
    [
        ("GET", "/api/v1/pods", 200, False),
        ("GET", "/api/v1/pods", 403, True),
        ("GET", "/api/v1/namespaces/a/secrets/s", 200, True),
        ("DELETE", "/api/v1/namespaces/a/pods/p", 200, True),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", 200, False),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", 401, True),
    ],
)
def test_what_is_recorded(tmp_path: Path, method: str, path: str, code: int, kept: bool) -> None:
    audit = Audit(tmp_path / "audit.log", FixedClock())
    assert audit.wants(route(_request(method, path)), code) is kept


def test_requests_without_an_identity_are_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        audit = Audit(tmp_path / "audit.log", FixedClock())
        audit.record(_request("GET", "/api"), None, None, 401, 0.0)
        audit.close()

    asyncio.run(main())
    assert _lines(tmp_path / "audit.log")[0]["user"]["username"] == ""


def test_full_files_are_moved_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "FILE_BYTES", 2000)
    monkeypatch.setattr(audits, "FILES", 3)

    async def main() -> None:
        audit = Audit(tmp_path / "audit.log", FixedClock())
        for number in range(40):
            request = _request("DELETE", f"/api/v1/namespaces/a/pods/p{number}")
            audit.record(request, route(request), ALICE, 200, 0.0)
            audit.flush()
        audit.close()
        again = Audit(tmp_path / "audit.log", FixedClock())
        again.record(request, route(request), ALICE, 200, 0.0)
        again.close()

    asyncio.run(main())
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert _lines(tmp_path / "audit.log")[-1]["objectRef"]["name"] == "p39"


def test_a_disk_that_fails_costs_lines_not_requests(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        audit = Audit(tmp_path / "missing" / "audit.log", FixedClock())
        for _ in range(3):
            request = _request("DELETE", "/api/v1/namespaces/a/pods/p")
            audit.record(request, route(request), ALICE, 200, 0.0)
            audit.flush()
        audit.close()

    asyncio.run(main())
    assert caplog.text.count("audit lines are lost") == 1


def test_metrics_have_the_names_that_dashboards_know() -> None:
    async def main() -> None:
        observatory = Observatory(Store.open(":memory:"))
        observatory.add_in_flight(lambda: {("readOnly",): 2}, lambda: {("readOnly",): 0})
        request = _request("GET", "/api/v1/namespaces/a/pods/p")
        observatory.answered(request, route(request), ALICE, 200, 0.004)
        text = observatory.metrics().body.decode()
        labels = 'verb="get",group="",resource="pods",subresource="",code="200"'
        assert f"apiserver_request_total{{{labels}}} 1\n" in text
        assert 'apiserver_request_duration_seconds_count{verb="get",resource="pods"} 1\n' in text
        assert 'apiserver_current_inflight_requests{request_kind="readOnly"} 2\n' in text
        assert "apiserver_registered_watchers 0\n" in text

    asyncio.run(main())
