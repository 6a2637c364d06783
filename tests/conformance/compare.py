"""Asks the questions, and compares whole answers with those that a real Kubernetes gave.

`python -m tests.conformance.compare --record --kubeconfig F [NAME…]` asks a real one anew and
writes `recorded/`: run it when questions are added, and read the difference. `make conformance`
asks both; without kubeplane ours alone is asked, and compared with what is recorded.
`python -m tests.conformance.compare [NAME…]` asks our server and prints what differs.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import json
import os
import pkgutil
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from athanor.client.protocol import Transport
from tests.conformance import questions, run, worlds
from tests.conformance.answers import Names, comparable
from tests.conformance.differences import Difference, declared
from tests.conformance.scenario import MEDIA, Step, at, differences, fill

RECORDED = Path(__file__).parent / "recorded"
_numbers = itertools.count()
AT_ONCE = 8
"""Scenarios asked at a time: most of a scenario's time is waiting for events and collectors."""
_QUIET = 0.25
"""Seconds after which a watch that has shown all that was recorded is taken to say no more."""


def collect() -> dict[str, Sequence[Step]]:
    """All questions, by `file.name`."""
    return {
        f"{module}.{name}": steps
        for module, found in modules().items()
        for name, steps in found.SCENARIOS.items()
    }


def modules() -> dict[str, Any]:
    """The modules that hold questions."""
    names = [info.name for info in pkgutil.iter_modules(questions.__path__)]
    found = {n: importlib.import_module(f"{questions.__name__}.{n}") for n in names}
    return {name: module for name, module in found.items() if hasattr(module, "SCENARIOS")}


async def stage(transport: Transport, module: Any) -> None:
    """What a module's questions need, made once a server."""
    if steps := getattr(module, "STAGE", ()):
        await ask(transport, transport, steps, [])


async def ask(
    transport: Transport, nobody: Transport, steps: Sequence[Step], wanted: Sequence[Any]
) -> list[Any]:
    """The answers to some questions, comparable, in a namespace of their own.

    `nobody`: a connection without credentials, for requests that bring their own. `wanted`: the
    answers there should be; watches are followed until they have shown as many events.
    """
    number = f"{os.getpid()}-{next(_numbers)}"
    known = {"ns": f"scn-{number}", "n": number}
    home = f"/api/v1/namespaces/{known['ns']}"
    await run.ask(transport, "POST", "/api/v1/namespaces", {"metadata": {"name": known["ns"]}})
    for path in (f"{home}/serviceaccounts/default", f"{home}/configmaps/kube-root-ca.crt"):
        for _ in range(400):
            if (await run.ask(transport, "GET", path))[0] == 200:
                break
            await asyncio.sleep(run.PAUSE)
    names = Names(
        {known["ns"]: "{ns}", f"user-{number}": "user-{n}", f"group-{number}": "group-{n}"}
    )
    answers = []
    for step, expected in itertools.zip_longest(steps, wanted[: len(steps)]):
        names.omit, names.dry = step.omit, "dryRun=All" in step.path
        own = nobody if "authorization" in step.headers else transport
        if step.frames is not None:
            most = None if expected is None else len(expected["frames"])
            seen = await _watched(own, fill(step.path, known), _headers(step, known), most)
            answers.append({"frames": comparable(seen, names)})
        else:
            answers.append(await _answer(own, step, known, names))
    return answers


def _headers(step: Step, known: Mapping[str, str]) -> dict[str, str]:
    asked: dict[str, str] = fill(dict(step.headers), known)
    return {"content-type": MEDIA[step.media], "accept": MEDIA["json"], **asked}


async def _answer(transport: Transport, step: Step, known: dict[str, str], names: Names) -> Any:
    loop = asyncio.get_running_loop()
    end = loop.time() + step.within
    path, headers = fill(step.path, known), _headers(step, known)
    body = step.body if isinstance(step.body, bytes) else fill(step.body, known)
    codes = step.code if isinstance(step.code, tuple) else (step.code,)
    while True:
        code, sent, raw = await run.ask(transport, step.method, path, body, headers)
        found = _decoded(raw, sent)
        right = code in codes and not differences(fill(step.see, known) or {}, found)
        if right or loop.time() >= end:
            break
        await asyncio.sleep(run.PAUSE)
    for name, where in step.save.items():
        known[name] = str(at(found, where)) if right else ""
    if step.omit == ("*",):
        return {}
    said = {"warning": sent["warning"]} if "warning" in sent else {}
    return {"code": code, **said, "body": comparable(found, names)}


def _decoded(raw: bytes, headers: Mapping[str, str]) -> Any:
    if "yaml" in headers.get("content-type", ""):
        return yaml.safe_load(raw)
    try:
        return msgspec.json.decode(raw) if raw else {}
    except msgspec.DecodeError:
        return raw.decode(errors="replace")


async def _watched(
    transport: Transport, path: str, headers: Mapping[str, str], most: int | None
) -> list[Any]:
    """The events of a watch: all in its time, or as soon as `most` are seen and no more come."""
    answer = await transport.stream(run.request("GET", path, None, headers))
    text, chunks = b"", aiter(answer.chunks)
    while True:
        patience = None if most is None or text.count(b"\n") < most else _QUIET
        try:
            text += await asyncio.wait_for(anext(chunks), patience)
        except (StopAsyncIteration, TimeoutError):
            break
    return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]


def problems(
    name: str, found: Sequence[Any], recorded: Sequence[Any], *, theirs_again: bool = False
) -> list[str]:
    """Where answers are not the recorded ones, nor declared to differ.

    `theirs_again`: they are a real one's, which may not differ at all.
    """
    known = {d.step: d for d in declared() if d.scenario == name and not theirs_again}
    said = []
    for number, (ours, theirs) in enumerate(zip(found, recorded, strict=True), 1):
        if number in known:
            said += [f"step {number}: {p}" for p in undeclared(known[number], ours, theirs)]
        elif not same(ours, theirs):
            said.append(
                f"step {number}:\n    ours   {json.dumps(ours)}\n    theirs {json.dumps(theirs)}"
            )
    return said


def undeclared(difference: Difference, ours: Any, theirs: Any) -> list[str]:
    """How an answer differs from the one that was declared: there, and nowhere else.

    With another code it is another answer altogether.
    """
    wrong = differences(difference.ours, ours)
    if wrong or "code" in difference.ours:
        return wrong
    return [f"{path}: differs, too" for path in elsewhere(difference.ours, ours, theirs)]


def elsewhere(named: Any, ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two answers differ beside what is `named`."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and isinstance(named, dict):
        return [
            found
            for key in dict.fromkeys((*ours, *theirs))
            for found in elsewhere(
                named.get(key, {}), ours.get(key), theirs.get(key), f"{path}.{key}"
            )
        ]
    if isinstance(named, list) and isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) == len(theirs) == len(named):
            triples = enumerate(zip(named, ours, theirs, strict=True))
            return [f for i, three in triples for f in elsewhere(*three, f"{path}[{i}]")]
        return []
    return [path] if named == {} and ours != theirs else []


def needless(named: Any, theirs: Any, path: str = "") -> list[str]:
    """What is declared to differ and does not."""
    if isinstance(named, dict) and isinstance(theirs, dict):
        return [
            found
            for key, value in named.items()
            for found in needless(value, theirs.get(key), f"{path}.{key}")
        ]
    if isinstance(named, list) and isinstance(theirs, list) and len(named) == len(theirs):
        pairs = enumerate(zip(named, theirs, strict=True))
        return [f for i, two in pairs for f in needless(*two, f"{path}[{i}]")]
    return [] if named == {} or differences(named, theirs) or named == "<any>" else [path]


def same(ours: Any, theirs: Any) -> bool:
    """Whether two answers are the same. What Kubernetes calls its own failure is a mistake here."""
    if theirs.get("code") == 500:
        return ours.get("code") in (400, 422, 500)
    return bool(ours == theirs)


def recorded(module: str) -> dict[str, Any]:
    """What a real Kubernetes answered to a module's questions."""
    path = RECORDED / f"{module}.json"
    answers: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return answers


async def record(kubeconfig: str, patterns: Sequence[str]) -> None:
    """Ask a real one and write down what it says."""
    RECORDED.mkdir(exist_ok=True)
    async with run.world(kubeconfig) as transport, run.world(kubeconfig, bare=True) as nobody:
        for name, module in modules().items():
            await stage(transport, module)
            answers = recorded(name)
            for title, steps in module.SCENARIOS.items():
                if not patterns or any(re.search(p, f"{name}.{title}") for p in patterns):
                    answers[title] = await ask(transport, nobody, steps, [])
            kept = {title: answers[title] for title in module.SCENARIOS if title in answers}
            lines = ",\n".join(
                f"{json.dumps(title)}: {json.dumps(said, sort_keys=True)}"
                for title, said in kept.items()
            )
            (RECORDED / f"{name}.json").write_text("{\n" + lines + "\n}\n")


async def ask_all(kubeconfig: str, module: str, patterns: Sequence[str] = ()) -> dict[str, Any]:
    """The answers to a module's questions, several scenarios at a time, by their titles.

    A scenario that could not be asked has its exception for an answer.
    """
    found = modules()[module]
    titles = [
        title for title in found.SCENARIOS
        if not patterns or any(re.search(p, f"{module}.{title}") for p in patterns)
    ]  # fmt: skip
    some, wanted = asyncio.Semaphore(AT_ONCE), recorded(module)
    async with run.world(kubeconfig) as transport, run.world(kubeconfig, bare=True) as nobody:
        if titles:
            await stage(transport, found)

        async def one(title: str) -> list[Any]:
            async with some:
                return await ask(transport, nobody, found.SCENARIOS[title], wanted.get(title, []))

        answers = await asyncio.gather(*(one(t) for t in titles), return_exceptions=True)
    return dict(zip(titles, answers, strict=True))


async def check(kubeconfig: str, patterns: Sequence[str]) -> int:
    """Ask a server; prints what differs, answers how many scenarios do."""
    failed = 0
    for name in modules():
        answers = recorded(name)
        for title, found in (await ask_all(kubeconfig, name, patterns)).items():
            full = f"{name}.{title}"
            if isinstance(found, Exception):
                wrong = [repr(found)]
            else:
                wrong = problems(full, found, answers[title])
            if wrong:
                failed += 1
                print(f"== {full}", *wrong, sep="\n  ")
    return failed


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--record", action="store_true", help="ask a real one: needs --kubeconfig")
    parser.add_argument("names", nargs="*", help="regular expressions; all when none")
    options = parser.parse_args()
    if options.record:
        asyncio.run(record(options.kubeconfig, options.names))
        return 0
    with tempfile.TemporaryDirectory() as folder, worlds.server(Path(folder)) as ours:
        failed = asyncio.run(check(options.kubeconfig or str(ours), options.names))
    print(f"{failed} differ")
    return min(1, failed)


if __name__ == "__main__":
    sys.exit(main())
