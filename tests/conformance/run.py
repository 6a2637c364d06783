"""Runs the scenarios: `python -m tests.conformance.run --world ours|kube [--kubeconfig F] [NAME…]`.

`ours` without a kubeconfig is our server in this process; a kubeconfig may point to any server.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import os
import pkgutil
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from athanor.client.http import Http
from athanor.client.inproc import InProcess
from athanor.client.kubeconfig import Target, load
from athanor.client.protocol import Transport
from athanor.local.apiserver.handle import ApiServer
from athanor.local.store.store import Store
from athanor.wire.request import Request, User
from tests.conformance import scenarios
from tests.conformance.scenario import MEDIA, Step, at, differences, fill

_numbers = itertools.count()
PAUSE = 0.05
"""Seconds between two looks at something that may still become right."""


def collect() -> dict[str, Sequence[Step]]:
    """All scenarios, by `file.name`."""
    found: dict[str, Sequence[Step]] = {}
    for info in pkgutil.iter_modules(scenarios.__path__):
        module = importlib.import_module(f"{scenarios.__name__}.{info.name}")
        for name, steps in module.SCENARIOS.items():
            found[f"{info.name}.{name}"] = steps
    return found


@asynccontextmanager
async def world(kubeconfig: str, *, bare: bool = False) -> AsyncIterator[Transport]:
    """A connection to a server: the kubeconfig's, or our own in this process.

    `bare`: without the kubeconfig's credentials.
    """
    if kubeconfig:
        target = load([kubeconfig]).target()
        if bare:
            target = Target(server=target.server, ca=target.ca)
        remote = Http(target)
        try:
            yield remote
        finally:
            await remote.close()
        return
    store = Store.open(":memory:")
    server = ApiServer(store)
    admin = User(name="admin", groups=("system:masters", "system:authenticated"))
    try:
        connection = InProcess(server.handle, user=admin)
        await ask(connection, "POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        yield connection
    finally:
        await server.close()
        await store.close()


async def play(transport: Transport, steps: Sequence[Step]) -> None:
    """Run one scenario in a namespace of its own. Raises AssertionError that says what differs."""
    known = {"ns": f"scn-{os.getpid()}-{next(_numbers)}", "n": str(next(_numbers))}
    await ask(transport, "POST", "/api/v1/namespaces", {"metadata": {"name": known["ns"]}})
    account = f"/api/v1/namespaces/{known['ns']}/serviceaccounts/default"
    for _ in range(200):
        if (await ask(transport, "GET", account))[0] == 200:
            break
        await asyncio.sleep(PAUSE)
    try:
        for number, step in enumerate(steps, 1):
            problems = await _step(transport, step, known)
            if problems:
                head = f"step {number}: {step.method} {fill(step.path, known)}"
                raise AssertionError("\n  ".join([head, *problems]))
    finally:
        await ask(transport, "DELETE", f"/api/v1/namespaces/{known['ns']}")


async def _step(transport: Transport, step: Step, known: dict[str, str]) -> list[str]:
    loop = asyncio.get_running_loop()
    end = loop.time() + step.within
    while True:
        problems = await _once(transport, step, known)
        if not problems or loop.time() >= end:
            return problems
        await asyncio.sleep(PAUSE)


async def _once(transport: Transport, step: Step, known: dict[str, str]) -> list[str]:
    body = step.body if isinstance(step.body, bytes) else fill(step.body, known)
    path = fill(step.path, known)
    headers = {"content-type": MEDIA[step.media], "accept": MEDIA["json"], **step.headers}
    if step.frames is not None:
        wanted, seen = _frames(step, known), await _watch(transport, path, headers)
        return differences(wanted, seen[: len(wanted)] if step.more else seen)
    code, sent, raw = await ask(transport, step.method, path, body, headers)
    codes = step.code if isinstance(step.code, tuple) else (step.code,)
    try:
        found: Any = msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        found = raw.decode(errors="replace")
    problems = [] if code in codes else [f"code {code}: {raw.decode(errors='replace')[:600]}"]
    if not problems and step.see is not None:
        problems = differences(fill(step.see, known), found)
    if not problems and step.message:
        said = found.get("message") if isinstance(found, dict) else found
        problems = differences(fill(step.message, known), said, "message")
    if not problems and step.warning:
        problems = differences(fill(step.warning, known), sent.get("warning"), "warning")
    if not problems:
        known.update({name: str(at(found, where)) for name, where in step.save.items()})
    return problems


def _frames(step: Step, known: Mapping[str, str]) -> list[Any]:
    return [{"type": t, "object": fill(o, known)} for t, o in step.frames or ()]


async def _watch(transport: Transport, path: str, headers: Mapping[str, str]) -> list[Any]:
    stream = await transport.stream(request("GET", path, None, headers))
    text = b"".join([chunk async for chunk in stream.chunks])
    return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]


def request(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Request:
    """A request as a value; a body that is no text is sent as JSON."""
    path, _, query = path.partition("?")
    raw = body if isinstance(body, bytes) else b""
    if isinstance(body, str):
        raw = body.encode()
    elif body is not None and not raw:
        raw = msgspec.json.encode(body)
    return Request(
        method=method, path=quote(path), query=parse_qsl(query, keep_blank_values=True),
        headers=dict(headers), body=raw,
    )  # fmt: skip


async def ask(
    transport: Transport,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Mapping[str, str], bytes]:
    """One request: the code, the headers and the body of its answer."""
    told = headers or {"content-type": "application/json", "accept": "application/json"}
    answer = await transport.send(request(method, path, body, told))
    return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body


async def run(kubeconfig: str, patterns: Sequence[str]) -> int:
    """Run what matches; prints each failure; answers how many failed."""
    failed = 0
    chosen = {
        name: steps
        for name, steps in collect().items()
        if not patterns or any(re.search(p, name) for p in patterns)
    }
    async with world(kubeconfig) as transport:
        for name, steps in chosen.items():
            try:
                await play(transport, steps)
            except AssertionError as different:
                failed += 1
                print(f"FAILED {name}\n  {different}")
    print(f"{len(chosen) - failed} of {len(chosen)} scenarios passed")
    return failed


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", choices=("ours", "kube"), default="ours")
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("names", nargs="*", help="regular expressions; all when none")
    options = parser.parse_args()
    if options.world == "kube" and not options.kubeconfig:
        parser.error("--world kube needs --kubeconfig")
    return min(1, asyncio.run(run(options.kubeconfig, options.names)))


if __name__ == "__main__":
    sys.exit(main())
