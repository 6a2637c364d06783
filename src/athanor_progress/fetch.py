"""Puts a job's code into a folder, before the job's own containers start.

`python -m athanor_progress.fetch` reads ATHANOR_CODE_TO (the folder) and either ATHANOR_CODE_BUNDLE
(`sha256:DIGEST`, fetched through the API server as this pod's own account) or ATHANOR_CODE_GIT and
ATHANOR_CODE_REF (cloned by git, with GIT_USERNAME and GIT_PASSWORD where they are set). Standard
library only. Why it failed is the last line it writes, and its termination message.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from typing import IO

from athanor_progress import remote

SECONDS = 120.0
"""How long to try while the server is away."""
_PATH = "/apis/gateway.athanor.dev/v1alpha1/namespaces/{}/bundles/{}/content"
_HELPER = '!f() { echo "username=$GIT_USERNAME"; echo "password=$GIT_PASSWORD"; }; f'
_MESSAGE = "/dev/termination-log"


class Failed(Exception):
    """The code cannot be had; the message says why."""


class Away(Exception):
    """Nobody answers just now."""


def bundle(name: str, folder: str) -> str:
    """Unpack the bundle of that name; what was done, in words. Raises Failed."""
    digest = name.split(":")[-1]
    end = time.monotonic() + SECONDS
    while True:
        try:
            with tempfile.TemporaryFile() as file:
                size = _download(digest, file)
                file.seek(0)
                count = unpack(file, folder)
            return f"{count} files, {size} bytes, {name[:19]}"
        except (Away, OSError, EOFError, http.client.HTTPException) as away:
            if time.monotonic() > end:
                raise Failed(f"the code cannot be fetched: {away}") from None
        time.sleep(0.5)


def _download(digest: str, file: IO[bytes]) -> int:
    connection, host, headers = remote.connect()
    asked = http.client.HTTPConnection(host)
    asked.sock = connection
    try:
        asked.request("GET", _PATH.format(remote.namespace(), digest), headers=headers)
        answer = asked.getresponse()
        if answer.status != 200:
            said = remote.message(answer.read())
            if answer.status in (429, 500, 502, 503, 504):
                raise Away(said)
            raise Failed(said or f"the server answers {answer.status}")
        found, size = hashlib.sha256(), 0
        while data := answer.read(1 << 16):
            found.update(data)
            size += file.write(data)
    finally:
        asked.close()
    if found.hexdigest() != digest:
        raise Away(f"{size} bytes came with another digest")
    return size


def unpack(file: IO[bytes], folder: str) -> int:
    """Lay the archive's files down, writable for whoever the job runs as; how many there are.

    Nothing leaves the folder: links and names that would are refused (PEP 706). Raises Failed.
    """
    count = 0
    try:
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            for member in archive:
                archive.extract(member, folder, filter="data")
                if not member.issym():
                    path = os.path.join(folder, member.name)
                    os.chmod(path, os.stat(path).st_mode | (0o777 if member.isdir() else 0o666))
                count += not member.isdir()
    except tarfile.TarError as wrong:
        raise Failed(f"the bundle cannot be unpacked: {wrong}") from None
    return count


def git(url: str, ref: str, folder: str) -> str:
    """Check a branch, tag or commit out; which commit it was. Raises Failed."""
    _git(folder, "init", "--quiet")
    try:
        _git(folder, "fetch", "--quiet", "--depth", "1", url, ref or "HEAD")
        commit = "FETCH_HEAD"
    except Failed:  # not every server gives out single commits: all of it, then
        _git(folder, "fetch", "--quiet", "--tags", url, "+refs/heads/*:refs/remotes/origin/*")
        commit = _named(folder, ref or "FETCH_HEAD")
    _git(folder, "checkout", "--quiet", "--detach", commit)
    if os.path.exists(os.path.join(folder, ".gitmodules")):
        _git(folder, "submodule", "update", "--quiet", "--init", "--recursive", "--depth", "1")
    return f"{url} at {_git(folder, 'rev-parse', 'HEAD')}"


def _named(folder: str, ref: str) -> str:
    for name in (ref, f"refs/remotes/origin/{ref}"):
        try:
            return _git(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except Failed:
            continue
    raise Failed(f"there is no branch, tag or commit {ref!r}")


def _git(folder: str, *words: str) -> str:
    env = {
        **os.environ, "GIT_TERMINAL_PROMPT": "0", "HOME": os.environ.get("HOME") or folder,
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    }  # fmt: skip
    helper = ["-c", f"credential.helper={_HELPER}"] if env.get("GIT_PASSWORD") else []
    safe = ["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null"]
    try:
        ran = subprocess.run(
            ["git", "-C", folder, *safe, *helper, *words],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise Failed("git is not installed where this pod runs") from None
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip() or "it failed").splitlines()
        why = next((line for line in said if line.startswith("fatal:")), said[-1])
        raise Failed(f"git {words[0]}: {why}")
    return ran.stdout.strip()


def main() -> int:
    """Fetch what the environment asks for."""
    folder = os.environ["ATHANOR_CODE_TO"]
    os.umask(0)
    try:
        if os.environ.get("ATHANOR_CODE_BUNDLE"):
            said = bundle(os.environ["ATHANOR_CODE_BUNDLE"], folder)
        else:
            url, ref = os.environ["ATHANOR_CODE_GIT"], os.environ.get("ATHANOR_CODE_REF", "")
            said = git(url, ref, folder)
    except Failed as failed:
        print(f"code: {failed}", file=sys.stderr)
        path = os.environ.get("ATHANOR_CODE_MESSAGE", _MESSAGE)
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"code: {failed}")
        except OSError:
            pass  # the log has it
        return 1
    print(f"code: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
