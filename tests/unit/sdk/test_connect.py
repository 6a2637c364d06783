"""Which platform a script speaks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from athanor.sdk import connect
from athanor.wire.status import ApiError


def test_without_any_platform_the_way_to_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHANOR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ApiError, match=r"data/admin\.kubeconfig .*athanor up --detach"):
        connect.target(None, None)
