"""What people name as files: read as text or as YAML, or refused by the file's name."""

from __future__ import annotations

import sys

import click


def text(path: str, option: str = "") -> str:
    """A file's text, `-` for standard input. Raises UsageError that names it (and the `option`)."""
    called = f"{option} {path}".strip()
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as wrong:
        raise click.UsageError(f"{called}: {wrong.strerror}") from None
    except UnicodeDecodeError as wrong:
        raise click.UsageError(f"{called} is no text: byte {wrong.start} is not UTF-8") from None


def documents(path: str) -> list[object]:
    """The documents of a YAML or JSON file, `-` for standard input. Raises UsageError."""
    import yaml

    try:
        return list(yaml.safe_load_all(text(path)))
    except yaml.YAMLError as wrong:
        said = " ".join(str(wrong).split())
        raise click.UsageError(f"{path} is no YAML: {said}") from None
