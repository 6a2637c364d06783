"""A world of its own: one network namespace with a machine to reach, a supervisor, a pod's network.

`python -m tests.acceptance.outside FOLDER` prints what a pod saw, as JSON. No address outside of
the namespace exists.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import cast

from athanor.local.agent.egress import PORT, Egress
from athanor.local.agent.supervised import Met, Supervised
from athanor.local.agent.supervisor import linux
from athanor.local.agent.supervisor.netlink import Netlink

GATEWAY, NETWORK, POD = "10.88.0.1", "10.88.0.0/16", "10.88.0.2"
FAR = "203.0.113.7"
QUESTION = bytes.fromhex("beef01000001000000000000") + b"\x05world\x00\x00\x01\x00\x01"


class Names(asyncio.DatagramProtocol):
    """A name server with one answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data[:2] + b"answered", addr)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say back, upper case, what was said until the other side was through."""
    said = await reader.read()
    writer.write(said.upper())
    writer.write_eof()


class Seen:
    """Tries from inside a pod's network."""

    def __init__(self, supervised: Supervised) -> None:
        self.supervised = supervised

    async def tcp(self, address: str, port: int, said: bytes = b"hello") -> str:
        """What comes back, or "refused": when it shows depends on how far one had come."""
        _, files = await self.supervised.ask_files("socket", pod="p")
        sock = socket.socket(fileno=files[0])
        sock.setblocking(False)
        try:
            async with asyncio.timeout(20):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
                reader, writer = await asyncio.open_connection(sock=sock)
                writer.write(said)
                writer.write_eof()
                got = await reader.read()
                writer.close()
        except OSError:
            sock.close()
            return "refused"
        return got.decode() if len(got) < 100 else f"{len(got)} bytes, {got[:3].decode()}"

    async def asks(self, address: str) -> str:
        """The answer of a name server."""
        _, files = await self.supervised.ask_files("socket", pod="p", udp=True)
        with socket.socket(fileno=files[0]) as sock:
            sock.setblocking(False)
            sock.connect((address, 53))
            sock.send(QUESTION)
            async with asyncio.timeout(20):
                return (await asyncio.get_running_loop().sock_recv(sock, 512))[2:].decode()


def carriers() -> list[int]:
    """The users of the processes that carry: children of this one that are no supervisor."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if b"outward" in words and parent == str(os.getpid()):
                found.append(entry.stat().st_uid)
    return found


async def main(folder: Path) -> None:
    """Build it, look, print."""
    supervised = Supervised(folder, GATEWAY)
    hello: list[Met] = []
    await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=(FAR, 53))
    await asyncio.start_server(serve, FAR, 4711)
    await asyncio.start_server(serve, "127.0.0.1", 4712)
    await supervised.connect(hello.append)
    try:
        print(json.dumps(await look(supervised, hello[0])))
    finally:
        await supervised.ask("shutdown", grace=0)


async def look(supervised: Supervised, met: Met) -> dict[str, object]:
    """What a pod sees of the way out."""
    if met.hello["isolation"] == "process":
        return {"skip": "; ".join(met.hello["missing"])}
    egress = Egress(supervised, GATEWAY, NETWORK, [f"{FAR}:53"])
    await egress.open()
    await supervised.ask("sandbox", pod="p", hostname="p", address=POD)
    seen, before = Seen(supervised), carriers()
    out: dict[str, object] = {
        "missing": egress.missing,
        "before": before,
        "far": await seen.tcp(FAR, 4711),
        "much": await seen.tcp(FAR, 4711, b"x" * 5_000_000),
        "nobody": await seen.tcp(FAR, 4713),
        "metadata": await seen.tcp("169.254.169.254", 80),
        "door": await seen.tcp(GATEWAY, PORT),
        "own": await seen.tcp("127.0.0.1", 4712),
        "asks": [await seen.asks("198.51.100.1"), await seen.asks(GATEWAY)],
        "users": carriers(),
    }
    await egress.close()
    return {**out, "after": carriers()}


def leave() -> None:
    """Go where there is nothing but this machine, as whoever we are."""
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.NEWNET | (linux.NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with contextlib.closing(Netlink()) as netlink:
        netlink.up(1)
        netlink.add_address(1, FAR)


if __name__ == "__main__":
    leave()
    asyncio.run(main(Path(sys.argv[1])))
