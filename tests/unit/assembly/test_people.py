"""Names that people cannot have."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from athanor.assembly.layout import DataDir
from athanor.assembly.people import Person, Refused, add
from athanor.kit.clock import FixedClock
from athanor.sdk.client import Client


@pytest.mark.parametrize(
    "name",
    ["kube-apiserver-kubelet-client", "athanor-admin", "system", "A", "a b", "../x", "a" * 50],
)
def test_nobody_is_called_like_the_platform(name: str, tmp_path: Path) -> None:
    nobody = cast(Client, None)  # refused before anybody is asked
    with pytest.raises(Refused, match="name"):
        add(nobody, DataDir(tmp_path), Person(name=name), FixedClock(), "")
    assert not (tmp_path / "pki").exists()
