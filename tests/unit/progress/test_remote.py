"""The launch agent: reads ssh's command line, and speaks WebSocket with a real peer."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from athanor_progress import remote


@pytest.mark.parametrize(
    ("words", "host", "command"),
    [
        (["a.b", "ls"], "a.b", ["ls"]),
        (["-x", "a.b", "sh -c 'x'"], "a.b", ["sh -c 'x'"]),
        (["-o", "Batch=yes", "-p", "22", "root@a", "echo", "hi"], "a", ["echo", "hi"]),
        (["-oBatch=yes", "-tt", "--", "a", "x"], "a", ["x"]),
        (["--", "a", "-x", "y"], "a", ["-x", "y"]),
        # as horovodrun has it
        (
            ["-o", "A=no", "a", "-p", "22", "-o", "ConnectTimeout=10", "true", "-v"],
            "a",
            ["true", "-v"],
        ),
    ],
)
def test_command_lines_of_launchers(words: list[str], host: str, command: list[str]) -> None:
    assert remote.parse(words) == (host, command)


@pytest.mark.parametrize("words", [[], ["a"], ["-p", "22", "a"], ["a", "-v"]])
def test_a_command_is_needed(words: list[str]) -> None:
    with pytest.raises(ValueError, match="usage"):
        remote.parse(words)


def test_exit_codes_are_read_from_the_last_message() -> None:
    assert remote.exit_code(b'{"status":"Success"}') == (0, "")
    told = b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}'
    assert remote.exit_code(told) == (7, "")
    assert remote.exit_code(b'{"status":"Failure","message":"no"}') == (255, "no")
    assert remote.exit_code(b"rubbish") == (255, "rubbish")


def frame(data: bytes, first: int = 0x82) -> bytes:
    return struct.pack("!BBH", first, 126, len(data)) + data


def test_channels_over_a_socket() -> None:
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        while b"\r\n\r\n" not in b"".join(heard):
            heard.append(theirs.recv(4096))
        theirs.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        theirs.sendall(
            frame(b"\x01he", 0x02) + b"\x89\x01p" + frame(b"llo", 0x80) + frame(b"\x03{}")
        )
        theirs.sendall(b"\x88\x00")
        heard.append(theirs.recv(4096))

    peer = threading.Thread(target=serve)
    peer.start()
    channels = remote.Channels(ours, "h", "/exec?x=y", {"Authorization": "Bearer t"})
    assert channels.receive() == (1, b"hello")
    assert channels.receive() == (3, b"{}")
    assert channels.receive() is None
    peer.join()
    assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io" in heard[0]
    assert heard[-1][:2] == b"\x8a\x81"  # a masked pong answers the ping
    channels.close()
    theirs.close()


def test_a_refusal_says_what_the_server_said() -> None:
    ours, theirs = socket.socketpair()
    body = b'{"message":"pods is forbidden"}'
    theirs.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with pytest.raises(remote.Refused, match="pods is forbidden") as refused:
        remote.Channels(ours, "h", "/", {})
    assert refused.value.status == 403
    ours.close()
    theirs.close()
