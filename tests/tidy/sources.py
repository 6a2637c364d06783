"""The project's own source files, parsed once."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent


class Source(NamedTuple):
    """One Python file: where it is, its lines and its syntax tree."""

    path: str
    text: str
    tree: ast.Module


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the project, tracked or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(sorted(path for path in listed.stdout.split("\n") if (ROOT / path).is_file()))


@cache
def sources(*roots: str) -> tuple[Source, ...]:
    """The Python files under the given folders."""
    found = []
    for path in tracked():
        if path.endswith(".py") and path.startswith(roots):
            text = (ROOT / path).read_text()
            found.append(Source(path, text, ast.parse(text)))
    return tuple(found)


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a tree, nested ones too."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
