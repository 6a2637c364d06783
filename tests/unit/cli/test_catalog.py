"""The catalog and the verbs say the same; every verb has examples that parse; nothing is heavy."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from athanor.cli.catalog import SECTIONS, VERBS
from athanor.cli.root import root

ROOT = Path(__file__).parent.parent.parent.parent


def command_of(name: str) -> click.Command:
    module = importlib.import_module(f"athanor.cli.verbs.{VERBS[name].module}")
    found: click.Command = module.command
    return found


def examples(command: click.Command) -> Iterator[str]:
    for line in (command.epilog or "").splitlines():
        if line.strip().startswith("athanor "):
            yield line.strip()


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_as_its_catalog_says(name: str) -> None:
    command = command_of(name)
    assert command.help is not None
    assert command.help.splitlines()[0] == VERBS[name].summary
    assert VERBS[name].section in SECTIONS
    assert list(examples(command)), "every verb shows examples"


def test_every_verb_module_is_in_the_catalog() -> None:
    folder = ROOT / "src" / "athanor" / "cli" / "verbs"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == {verb.module for verb in VERBS.values()}


def parses(line: str) -> None:
    """Raises UsageError when a documented command line is none."""
    words = shlex.split(re.split(r"\s[<>#|&]", line)[0])[1:]
    with root.make_context("athanor", words, resilient_parsing=False) as ctx:
        name, command, rest = root.resolve_command(ctx, [*ctx.protected_args, *ctx.args])
        assert command is not None
        while isinstance(command, click.Group):
            with command.make_context(name, rest, parent=ctx) as inner:
                words = [*inner.protected_args, *inner.args]
                name, command, rest = command.resolve_command(inner, words)
            assert command is not None
        command.make_context(name, rest, parent=ctx).close()


@pytest.mark.filterwarnings("ignore:'protected_args'")
@pytest.mark.parametrize("name", VERBS)
def test_examples_in_the_help_parse(name: str) -> None:
    for line in examples(command_of(name)):
        parses(line)


@pytest.mark.filterwarnings("ignore:'protected_args'")
def test_commands_in_the_documents_exist() -> None:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for file in files:
        for block in re.findall(r"```(?:console|sh|shell|bash)\n(.*?)```", file.read_text(), re.S):
            for line in block.splitlines():
                line = line.removeprefix("$ ").strip()
                if line.startswith("athanor ") and "…" not in line and "..." not in line:
                    parses(line)


HEAVY = {"asyncio", "aiohttp", "numpy", "rich", "cryptography", "apsw", "yaml", "msgspec"}


def imported(*words: str) -> set[str]:
    code = (
        "import sys\nfrom athanor.cli.root import invoke\n"
        f"invoke({list(words)!r})\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert not imported("--help") & HEAVY


@pytest.mark.parametrize("words", [("list", "--kubeconfig", "/none"), ("submit", "--help")])
def test_daily_verbs_import_no_event_loop(words: tuple[str, ...]) -> None:
    assert not imported(*words) & (HEAVY - {"yaml", "msgspec"})
