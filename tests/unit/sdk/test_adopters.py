"""Which gang is meant by the name of what others made."""

import msgspec
import pytest

from athanor.api.scheduling import Gang
from athanor.sdk.adopters import is_of


@pytest.mark.parametrize(
    ("kind", "maker", "name", "meant"),
    [
        ("Job", "trio", "trio", True),
        ("Job", "trio", "trio-0", True),
        ("Job", "trio", "tri", False),
        ("ReplicaSet", "web-5d4f", "web", True),
        ("ReplicaSet", "web-5d4f", "web-5d4f", True),
        ("Job", "web-5d4f", "web", False),
    ],
)
def test_names_of_makers_and_pods(kind: str, maker: str, name: str, *, meant: bool) -> None:
    owner = {"apiVersion": "v1", "kind": kind, "name": maker, "uid": "u"}
    gang = {"metadata": {"name": "job-trio-1", "ownerReferences": [owner]},
            "spec": {"adopts": {"sort-a": ["trio-0", "trio-1"]}}}  # fmt: skip
    assert is_of(msgspec.convert(gang, Gang), name) is meant
