"""Sizes, docstrings and purity of the source files."""

from __future__ import annotations

import ast
import re
from statistics import median

from tests.tidy.sources import ROOT, sources, tracked

LINES, FUNCTION, MODULE, MEDIAN, PARAMETERS = 100, 70, 500, 150, 8

PURE = ("src/athanor/api/", "src/athanor/wire/", "src/athanor/features/")
SHELLS = re.compile(r"/(apply|controller)\.py$")


def test_lines_are_at_most_100_characters() -> None:
    long = [
        f"{s.path}:{number}"
        for s in sources("src/", "tests/", "bench/", "examples/", "tools/")
        for number, line in enumerate(s.text.split("\n"), 1)
        if len(line) > LINES
    ]
    assert long == []


def test_modules_are_short() -> None:
    lengths = {s.path: s.text.count("\n") for s in sources("src/")}
    assert [f"{path}: {n}" for path, n in lengths.items() if n > MODULE] == []
    assert median(lengths.values()) <= MEDIAN


def test_functions_are_short() -> None:
    long = [
        f"{s.path}:{f.lineno} {f.name}"
        for s in sources("src/")
        for f in s.functions
        if (f.end_lineno or f.lineno) - f.lineno + 1 > FUNCTION
    ]
    assert long == []


def test_functions_take_few_parameters() -> None:
    many = [
        f"{s.path}:{f.lineno} {f.name}"
        for s in sources("src/")
        if not s.path.startswith(("src/athanor/cli/", "src/athanor/wire/calls"))
        for f in s.functions
        if len([a for a in f.args.args + f.args.kwonlyargs if a.arg not in ("self", "cls")])
        > PARAMETERS
    ]
    assert many == []


def test_every_module_class_and_public_function_has_a_docstring() -> None:
    missing = []
    for s in sources("src/"):
        if ast.get_docstring(s.tree) is None:
            missing.append(s.path)
        for node in s.nodes:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                missing += [f"{s.path}:{node.lineno} {node.name}"] * (
                    ast.get_docstring(node) is None
                )
        for node in s.tree.body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            if isinstance(node, ast.ClassDef) and node.name.startswith("_"):
                continue
            missing += [
                f"{s.path}:{f.lineno} {f.name}"
                for f in inner
                if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
                and not f.name.startswith("_")
                and ast.get_docstring(f) is None
            ]
    assert missing == []


def test_every_folder_says_what_it_is_for() -> None:
    silent = [
        s.path
        for s in sources("src/")
        if s.path.endswith("__init__.py") and not ast.get_docstring(s.tree)
    ]
    assert silent == []


def test_pure_files_neither_open_nor_print() -> None:
    found = [
        f"{s.path}:{node.lineno} {node.func.id}"
        for s in sources(*PURE)
        if not SHELLS.search(s.path)
        for node in s.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("open", "print", "input", "__import__", "exec", "eval")
    ]
    assert found == []


def test_no_silent_except() -> None:
    silent = [
        f"{s.path}:{node.lineno}"
        for s in sources("src/")
        for node in s.nodes
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (
                isinstance(node.type, ast.Name)
                and node.type.id in ("Exception", "BaseException")
                and len(node.body) == 1
                and isinstance(node.body[0], ast.Pass | ast.Continue)
            )
        )
    ]
    assert silent == []


def test_no_unfinished_marks() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [
        f"{s.path}:{number}"
        for s in sources("src/", "bench/", "examples/", "tools/")
        for number, line in enumerate(s.text.split("\n"), 1)
        if marks.search(line)
    ]
    assert found == []


def test_nothing_names_a_registry_or_a_machine() -> None:
    hosts = "|".join(
        (r"pypi\.or" + "g", r"files\.pythonhoste" + "d", r"registry\.npmj" + "s", "/wor" + "k/")
    )
    named = []
    for path in tracked():
        if path.endswith((".png", ".db", ".npz", "go.sum", "go.mod")):
            continue
        text = (ROOT / path).read_text(errors="replace")
        named += [path] if re.search(hosts, text) else []
    assert named == []


def test_no_merge_was_left_half_done() -> None:
    marks = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    texts = [path for path in tracked() if path.endswith((".md", ".py", ".yaml", ".toml"))]
    assert [path for path in texts if marks.search((ROOT / path).read_text())] == []
