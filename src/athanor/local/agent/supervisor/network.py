"""The pods' network: the supervisor's own namespace routes between the pods'.

Every pod has a network namespace with one cable (veth) into the supervisor's, which holds the
gateway's address and forwards. No port limit of a bridge, no broadcast, nothing in the host's own
namespace. Namespaces are held by open files alone: when the supervisor dies, the kernel removes
all of it.
"""

from __future__ import annotations

import contextlib
import os
import socket

from athanor.local.agent.supervisor import linux, nat
from athanor.local.agent.supervisor.netlink import Netlink

_SHARED = linux.NEWNET | linux.NEWIPC | linux.NEWUTS


class Sandbox:
    """One pod's namespaces, as open files: net, ipc, uts."""

    def __init__(self, pod: str, address: str, hostname: str, fds: dict[int, int]) -> None:
        self.pod = pod
        self.address = address
        self.hostname = hostname
        self.fds = fds

    def enter(self) -> None:
        """Move the calling process into the pod's namespaces."""
        for flag, fd in self.fds.items():
            linux.setns(fd, flag)

    def close(self) -> None:
        """Let the namespaces go; with their last process they vanish."""
        for fd in self.fds.values():
            os.close(fd)


class Network:
    """The routing namespace and the sandboxes around it."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self._host = _namespaces()
        linux.unshare(linux.NEWNET)
        self._own = _namespaces()
        self._netlink = Netlink()
        self._cables = 0
        self._diverted = False
        self._netlink.up(1)
        self._netlink.add_address(1, gateway)
        with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("1")

    def sandbox(self, pod: str, hostname: str, address: str) -> Sandbox:
        """Make a pod's namespaces. No address: it shares the host's network (hostNetwork)."""
        if not address:
            flags = linux.NEWIPC
            linux.setns(self._host[linux.NEWNET], linux.NEWNET)
        else:
            flags = _SHARED
        cable = ""
        try:
            linux.unshare(flags)
            if address:
                linux.sethostname(hostname)
                self._cables += 1
                cable = f"v{self._cables}"
                self._wire(address, cable)
            fds = _namespaces()
        finally:
            for flag, fd in self._own.items():
                linux.setns(fd, flag)
        if cable:
            index = self._netlink.index(cable)
            self._netlink.up(index)
            self._netlink.add_route(index, to=address)
        return Sandbox(pod, address, hostname, fds)

    def divert(self, network: str, port: int) -> None:
        """Let what pods send to other machines arrive at a port of the gateway. Raises OSError."""
        if not self._diverted:
            nat.divert(self.gateway, network, port)
            self._diverted = True

    def open_socket(self, sandbox: Sandbox | None, kind: socket.SocketKind) -> socket.socket:
        """A socket that lives in a pod's network, or in the routing namespace."""
        if sandbox is None:
            return socket.socket(socket.AF_INET, kind)
        linux.setns(sandbox.fds[linux.NEWNET], linux.NEWNET)
        try:
            return socket.socket(socket.AF_INET, kind)
        finally:
            linux.setns(self._own[linux.NEWNET], linux.NEWNET)

    def _wire(self, address: str, cable: str) -> None:
        with contextlib.closing(Netlink()) as inside:
            inside.up(1)
            inside.add_veth("eth0", cable, self._own[linux.NEWNET])
            index = inside.index("eth0")
            inside.add_address(index, address)
            inside.up(index)
            inside.add_route(index, to=self.gateway)
            inside.add_route(index, via=self.gateway)


def _namespaces() -> dict[int, int]:
    kinds = ((linux.NEWNET, "net"), (linux.NEWIPC, "ipc"), (linux.NEWUTS, "uts"))
    return {
        flag: os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        for flag, name in kinds
    }
