"""Network set-up by rtnetlink(7), without any binary: links, addresses, routes."""

from __future__ import annotations

import os
import socket
import struct

_NEWLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 18, 20, 24
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 3, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_ONLINK = 4
_IFF_UP = 1


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("HH", length, kind) + value + b"\0" * (-length % 4)


def _link_head(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


class Netlink:
    """A socket to the network namespace that was current when it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._sequence = 0

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def up(self, index: int) -> None:
        """Switch a link on."""
        self._ask(_NEWLINK, _link_head(index, _IFF_UP, _IFF_UP), "link up")

    def index(self, name: str) -> int:
        """The index of a link in this namespace."""
        body = _link_head() + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        answer = self._ask(_GETLINK, body, f"find link {name}")
        return int(struct.unpack_from("i", answer, 16 + 4)[0])

    def add_veth(self, name: str, peer: str, peer_namespace: int) -> None:
        """A cable: `name` here, `peer` in the network namespace of the given fd."""
        far = (
            _link_head()
            + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
            + _attribute(_IFLA_NET_NS_FD, struct.pack("i", peer_namespace))
        )
        info = _attribute(_INFO_KIND, b"veth") + _attribute(
            _INFO_DATA, _attribute(_VETH_INFO_PEER, far)
        )
        body = _link_head() + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        body += _attribute(_IFLA_LINKINFO, info)
        self._ask(_NEWLINK, body, f"add veth {name}", _CREATE | _EXCL)

    def add_address(self, index: int, address: str) -> None:
        """Give a link a /32 address."""
        raw = socket.inet_aton(address)
        body = struct.pack("BBBBi", socket.AF_INET, 32, 0, 0, index)
        body += _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw)
        self._ask(_NEWADDR, body, f"add address {address}", _CREATE)

    def add_route(self, index: int, to: str = "", via: str = "") -> None:
        """A route to one address (or to everywhere), through a link, perhaps via a neighbour."""
        scope = 0 if via else 253
        flags = _ONLINK if via else 0
        body = struct.pack(
            "BBBBBBBBI", socket.AF_INET, 32 if to else 0, 0, 0, 254, 4, scope, 1, flags
        )
        if to:
            body += _attribute(_RTA_DST, socket.inet_aton(to))
        if via:
            body += _attribute(_RTA_GATEWAY, socket.inet_aton(via))
        body += _attribute(_RTA_OIF, struct.pack("i", index))
        self._ask(_NEWROUTE, body, f"add route to {to or 'everywhere'}", _CREATE)

    def _ask(self, kind: int, body: bytes, what: str, flags: int = 0) -> bytes:
        self._sequence += 1
        head = struct.pack(
            "IHHII", 16 + len(body), kind, _REQUEST | _ACK | flags, self._sequence, 0
        )
        self._socket.send(head + body)
        answer = b""
        while True:
            data = self._socket.recv(65536)
            while data:
                length, type_, _, sequence, _ = struct.unpack_from("IHHII", data)
                message, data = data[:length], data[(length + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if type_ != 2:  # not NLMSG_ERROR: the thing asked for; its ack follows
                    answer = message
                    continue
                error = -struct.unpack_from("i", message, 16)[0]
                if error:
                    raise OSError(error, f"{what}: {os.strerror(error)}")
                return answer
