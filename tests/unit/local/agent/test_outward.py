"""The way out: whom pods may speak to, and the small texts; the real thing is in acceptance."""

from __future__ import annotations

import pytest

from athanor.local.agent import outward


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"],
)
def test_what_is_no_other_machine_is_refused(address: str) -> None:
    assert outward.refused(address)


@pytest.mark.parametrize("address", ["192.168.1.4", "10.1.2.3", "203.0.113.7", "8.8.8.8"])
def test_other_machines_are_not(address: str) -> None:
    assert outward.refused(address) == ""


def test_a_pods_resolver_is_the_gateway_with_the_machines_search_domains() -> None:
    text = "# ours\nnameserver 127.0.0.53\nnameserver fe80::1\nsearch lab.example\noptions edns0\n"
    assert outward.name_servers(text) == [("127.0.0.53", 53), ("fe80::1", 53)]
    assert outward.resolv_conf(text, "10.88.0.1").splitlines() == [
        "nameserver 10.88.0.1", "search lab.example", "options timeout:4 attempts:2",
    ]  # fmt: skip


def test_when_nobody_can_be_asked_the_answer_says_so() -> None:
    question = bytes.fromhex("beef01000001000000000000") + b"\x01a\x00\x00\x01\x00\x01"
    assert outward.servfail(question) == bytes.fromhex("beef8102") + question[4:]
