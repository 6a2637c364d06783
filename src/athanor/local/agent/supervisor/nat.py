"""Where pods' connections to the world end: at the gateway (nf_tables, by netlink, no binary).

One rule in the routing namespace, which is the supervisor's own: TCP to anywhere but the pods'
network goes to a port of the gateway, and so do questions for names. The machine's own firewall is
in another namespace and is not touched.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct

_NETFILTER, _SUBSYSTEM = 12, 10
_BEGIN, _END = 0x10, 0x11
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 3, 6
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_NESTED = 0x8000
_PREROUTING, _DNAT_PRIORITY = 0, -100
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_EQUAL, _UNEQUAL = 0, 1
_DNAT = 1
_L4PROTO = 16
_TABLE = b"athanor\0"
_CHAIN = b"egress\0"


def divert(gateway: str, network: str, port: int) -> None:
    """In the current network namespace: send TCP for elsewhere to `port`, names to port 53.

    Raises OSError where the kernel has no nf_tables.
    """
    own = ipaddress.ip_network(network)
    elsewhere = [_load(16, 4, _NETWORK_HEADER), _mask(own.netmask.packed)]
    elsewhere.append(_compare(own.network_address.packed, _UNEQUAL))
    names = [_load(2, 2, _TRANSPORT_HEADER), _compare(struct.pack(">H", 53))]
    base = _attribute(1, _TABLE)
    hook = _number(1, _PREROUTING) + _attribute(2, struct.pack(">i", _DNAT_PRIORITY))
    chain = base + _attribute(3, _CHAIN) + _attribute(4 | _NESTED, hook) + _attribute(7, b"nat\0")
    rules = [
        [*_protocol(socket.IPPROTO_TCP), *elsewhere, *_to(gateway, port)],
        [*_protocol(socket.IPPROTO_UDP), *elsewhere, *names, *_to(gateway, 53)],
    ]
    _send(
        (_NEW_TABLE, base),
        (_NEW_CHAIN, chain),
        *((_NEW_RULE, base + _attribute(2, _CHAIN) + _expressions(rule)) for rule in rules),
    )


def _send(*messages: tuple[int, bytes]) -> None:
    """One transaction: all of it holds, or nothing."""
    with contextlib.closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)) as sock:
        sock.settimeout(10)
        batch = _message(_BEGIN, _REQUEST, 0, socket.AF_UNSPEC, _SUBSYSTEM, b"")
        for number, (kind, body) in enumerate(messages, 1):
            flags = _REQUEST | _CREATE | _APPEND | _ACK
            kind |= _SUBSYSTEM << 8
            batch += _message(kind, flags, number, socket.AF_INET, 0, body)
        batch += _message(_END, _REQUEST, 0, socket.AF_UNSPEC, _SUBSYSTEM, b"")
        sock.send(batch)
        waiting = set(range(1, len(messages) + 1))
        while waiting:
            data = sock.recv(65536)
            while data:
                length, kind, _, number, _ = struct.unpack_from("IHHII", data)
                error = -struct.unpack_from("i", data, 16)[0] if kind == 2 else 0
                if error:
                    raise OSError(error, f"nf_tables: {os.strerror(error)}")
                waiting.discard(number)
                data = data[(length + 3) & ~3 :]


def _message(kind: int, flags: int, number: int, family: int, resource: int, body: bytes) -> bytes:
    head = struct.pack("IHHII", 20 + len(body), kind, flags, number, 0)
    return head + struct.pack(">BBH", family, 0, resource) + body


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("HH", length, kind) + value + b"\0" * (-length % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack(">I", value))


def _value(kind: int, raw: bytes) -> bytes:
    return _attribute(kind | _NESTED, _attribute(1, raw))


def _expressions(expressions: list[tuple[bytes, bytes]]) -> bytes:
    listed = b""
    for name, body in expressions:
        inner = _attribute(1, name + b"\0") + _attribute(2 | _NESTED, body)
        listed += _attribute(1 | _NESTED, inner)
    return _attribute(4 | _NESTED, listed)


def _protocol(number: int) -> list[tuple[bytes, bytes]]:
    """Go on with packets of this protocol only."""
    return [(b"meta", _number(1, 1) + _number(2, _L4PROTO)), _compare(bytes([number]))]


def _load(offset: int, size: int, base: int) -> tuple[bytes, bytes]:
    return b"payload", _number(1, 1) + _number(2, base) + _number(3, offset) + _number(4, size)


def _mask(mask: bytes) -> tuple[bytes, bytes]:
    body = _number(1, 1) + _number(2, 1) + _number(3, len(mask))
    return b"bitwise", body + _value(4, mask) + _value(5, bytes(len(mask)))


def _compare(raw: bytes, how: int = _EQUAL) -> tuple[bytes, bytes]:
    return b"cmp", _number(1, 1) + _number(2, how) + _value(3, raw)


def _to(address: str, port: int) -> list[tuple[bytes, bytes]]:
    nat = _number(1, _DNAT) + _number(2, socket.AF_INET)
    return [
        (b"immediate", _number(1, 1) + _value(2, socket.inet_aton(address))),
        (b"immediate", _number(1, 2) + _value(2, struct.pack(">H", port))),
        (b"nat", nat + _number(3, 1) + _number(4, 1) + _number(5, 2) + _number(6, 2)),
    ]
