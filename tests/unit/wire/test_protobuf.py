"""Reading protobuf: a body as kubectl writes it, and bodies that are cut or nonsense."""

from __future__ import annotations

import random

import pytest

from athanor.wire import protobuf


def varint(value: int) -> bytes:
    """A number in base 128."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def part(number: int, value: bytes | str | int) -> bytes:
    """One field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(version: str, kind: str, message: bytes) -> bytes:
    """A whole body."""
    type_meta = part(1, version) + part(2, kind)
    return b"k8s\x00" + part(1, type_meta) + part(2, message) + part(3, "") + part(4, "")


META = part(1, "p") + part(2, "") + part(8, b"") + part(11, part(1, "app") + part(2, "x"))
CONTAINER = (
    part(1, "main") + part(2, "host") + part(3, "sh") + part(3, "-c")
    + part(8, part(1, part(1, "cpu") + part(2, part(1, "2"))))
    + part(10, part(1, part(2, part(1, "/x") + part(2, part(1, 1) + part(2, 0) + part(3, "web")))))
)  # fmt: skip
SPEC = (
    part(1, part(1, "e") + part(2, part(2, part(1, "Memory"))))
    + part(2, CONTAINER) + part(3, "") + part(4, 0) + part(10, "node")
)  # fmt: skip
POD = body("v1", "Pod", part(1, META) + part(2, SPEC) + part(3, b""))


def test_a_pod() -> None:
    assert protobuf.decode(POD) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "x"}},
        "spec": {
            "volumes": [{"name": "e", "emptyDir": {"medium": "Memory"}}],
            "containers": [
                {
                    "name": "main",
                    "image": "host",
                    "command": ["sh", "-c"],
                    "resources": {"limits": {"cpu": "2"}},
                    "livenessProbe": {"httpGet": {"path": "/x", "port": "web"}},
                }
            ],
            "terminationGracePeriodSeconds": 0,
            "nodeName": "node",
        },
    }


def test_negative_numbers_and_maps_of_lists() -> None:
    low = body("scheduling.k8s.io/v1", "PriorityClass", part(1, part(1, "low")) + part(2, -7))
    assert protobuf.decode(low)["value"] == -7
    extra = part(4, part(1, "scopes") + part(2, part(1, "a") + part(1, "b")))
    user = part(1, part(3, b"") + part(2, part(2, part(1, "u") + extra)))
    review = body("authentication.k8s.io/v1", "TokenReview", user)
    assert protobuf.decode(review)["kind"] == "TokenReview"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{}", "does not begin"),
        (body("v1", "NoSuchKind", b""), "NoSuchKind in v1"),
        (body("apps/v1", "Deployment", b""), "Deployment in apps/v1"),
        (body("v1", "Pod", part(1, META)[:-1]), "beyond the message"),
        (body("v1", "Pod", part(1, 7)), "a number stands where bytes should"),
        (body("v1", "Pod", part(1, part(1, b"\xff"))), "not UTF-8"),
    ],
)
def test_what_cannot_be_read_says_why(raw: bytes, says: str) -> None:
    with pytest.raises(protobuf.Unreadable, match=says):
        protobuf.decode(raw)


def test_damaged_bodies_never_crash() -> None:
    dice = random.Random(1)
    for _ in range(3000):
        damaged = bytearray(POD)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(4, len(damaged))] = dice.randrange(256)
        try:
            protobuf.decode(bytes(damaged[: dice.randint(4, len(damaged))]))
        except protobuf.Unreadable as why:
            assert str(why)
