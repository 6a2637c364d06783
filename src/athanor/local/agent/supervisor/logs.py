"""Container output as CRI log files: `TIME STREAM F|P LINE`, rotated by size.

The format is that of Kubernetes' container runtime interface (KEP "CRI logging"), so whatever
reads kubelet's logs reads these.
"""

from __future__ import annotations

import os
import time

MAX_BYTES = 10 * 1024 * 1024  # kubelet's containerLogMaxSize
MAX_FILES = 5  # kubelet's containerLogMaxFiles
LINE_LIMIT = 16 * 1024  # longer lines are split, tagged P but for their last piece


def stamp() -> str:
    """Now, RFC 3339 with nanoseconds."""
    nanoseconds = time.time_ns()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    return f"{whole}.{nanoseconds % 1_000_000_000:09d}Z"


class LogFile:
    """The log of one container instance, shared by its two streams."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        self._open()

    def write(self, data: bytes) -> None:
        """Append whole CRI lines; rotate when the file is full."""
        try:
            os.write(self._fd, data)
        except OSError:
            return  # a full disk must not stop the pumping: output is lost, the process lives
        self._size += len(data)
        if self._size >= MAX_BYTES:
            self._rotate()

    def close(self) -> None:
        """Give the file back."""
        os.close(self._fd)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        full = self._fd
        self._size = 0
        folder, name = os.path.split(self.path)
        try:
            os.replace(self.path, f"{self.path}.{time.time_ns()}")
            self._open()
            os.close(full)
            old = sorted(f for f in os.listdir(folder) if f.startswith(name + "."))
            for spare in old[: -(MAX_FILES - 1)]:
                os.unlink(os.path.join(folder, spare))
        except OSError:
            return  # a disk that takes nothing new: go on in the old file, try again later


class Stream:
    """One pipe of a container: turns chunks into CRI lines, holding back an unfinished line."""

    def __init__(self, name: str, log: LogFile) -> None:
        self._name = name
        self._log = log
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take what the process wrote."""
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        head = f"{stamp()} {self._name} ".encode()
        out = b""
        if end:
            lines = data[: end - 1]
            if len(lines) <= LINE_LIMIT:
                out = head + b"F " + lines.replace(b"\n", b"\n" + head + b"F ") + b"\n"
            else:
                out = b"".join(_pieces(head, line) for line in lines.split(b"\n"))
        while len(self._rest) >= LINE_LIMIT:
            out += head + b"P " + self._rest[:LINE_LIMIT] + b"\n"
            self._rest = self._rest[LINE_LIMIT:]
        if out:
            self._log.write(out)

    def end(self) -> None:
        """The process closed the pipe: its last line may lack a newline."""
        if self._rest:
            self._log.write(f"{stamp()} {self._name} F ".encode() + self._rest + b"\n")
            self._rest = b""


def _pieces(head: bytes, line: bytes) -> bytes:
    out = b""
    while len(line) > LINE_LIMIT:
        out += head + b"P " + line[:LINE_LIMIT] + b"\n"
        line = line[LINE_LIMIT:]
    return out + head + b"F " + line + b"\n"
