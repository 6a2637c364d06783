"""Remote command over WebSocket: the channel protocols v4 and v5 (KEP-4006), and their statuses."""

from __future__ import annotations

import msgspec

from athanor.api.meta import JSON

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


def success() -> JSON:
    """The command ended with 0."""
    return {"metadata": {}, "status": "Success"}


def failure(message: str) -> JSON:
    """The command could not be run."""
    return {
        "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": message,
    }  # fmt: skip


def exited(code: int) -> JSON:
    """The command ended with another code."""
    if code == 0:
        return success()
    return {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }  # fmt: skip


def message(channel: int, data: bytes) -> bytes:
    """One message on a channel."""
    return bytes([channel]) + data


def status(said: JSON) -> bytes:
    """The last message: how it went."""
    return message(ERROR, msgspec.json.encode(said))


def size(data: bytes) -> tuple[int, int]:
    """(width, height) of a resize message. Raises msgspec.DecodeError, KeyError."""
    said = msgspec.json.decode(data)
    return int(said["Width"]), int(said["Height"])
