"""Printing: tables for people, JSON and YAML for programs, names for shells."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from athanor.cli import paint
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.training import TrainingJob
    from athanor.sdk.objects import Table


def rows(head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    line("\n".join(paint.columns(head, cells, sys.stdout)))


def line(text: str = "") -> None:
    """Print a line."""
    click.echo(text, color=paint.coloured(sys.stdout))


def note(text: str) -> None:
    """Tell a person something that is no part of the output."""
    click.echo(text, err=True)


def nothing(world: World, what: str, hint: str = "", *, everywhere: bool = False) -> None:
    """Say that a namespace has none of something. Raises ApiError when there is no such namespace.

    Who may not look at namespaces is believed.
    """
    from athanor.api.core import Namespace
    from athanor.api.registry import of
    from athanor.wire.status import ApiError

    if not everywhere:
        try:
            world.client.get(of(Namespace), world.where)
        except ApiError as error:
            if error.reason != "Forbidden":
                raise
    where = "any namespace" if everywhere else f"namespace {world.where}"
    note(f"no {what} in {where}" + (f"; {hint}" if hint else ""))


def document(world: World, value: JSON) -> bool:
    """Print an object or a List when JSON, YAML or names are asked for; False for tables.

    Without who manages which field, as kubectl does.
    """
    value = _unmanaged(value)
    if world.output == "json":
        import json

        line(json.dumps(value, indent=2, ensure_ascii=False))
    elif world.output == "yaml":
        click.echo(yaml_text(value), nl=False)
    elif world.output == "name":
        for item in value.get("items", [value]):
            kind = (item.get("kind") or str(value.get("kind", "")).removesuffix("List")).lower()
            group = (item.get("apiVersion") or value.get("apiVersion", "")).rpartition("/")[0]
            line(f"{kind}{'.' + group if group else ''}/{item['metadata']['name']}")
    else:
        return False
    return True


def _unmanaged(value: JSON) -> JSON:
    if isinstance(items := value.get("items"), list):
        return {**value, "items": [_unmanaged(one) for one in items]}
    if not isinstance(meta := value.get("metadata"), dict):
        return value
    return {**value, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}


def created(world: World, job: TrainingJob) -> bool:
    """Tell of a job that was made: itself when JSON, YAML or names are asked for, else a line.

    False for a line, which more may follow.
    """
    from athanor.api.registry import of
    from athanor.api.training import TrainingJob

    kind, meta = of(TrainingJob), job.metadata
    if world.output == "name":
        line(f"{kind.singular}.{kind.group}/{meta.name}")
    elif world.output in ("json", "yaml"):
        document(world, world.client.get(kind, meta.name, namespace=meta.namespace))
    else:
        line(f"{kind.singular} {meta.name} created in namespace {meta.namespace}")
        return False
    return True


_NO_TEXT = re.compile(r"[yYnN]|[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0o[0-7]+")
"""What kubectl takes for a truth or a number unless it is quoted; PyYAML knows not all of it."""


def yaml_text(value: JSON) -> str:
    """A document of YAML, keys in their order."""
    import yaml

    def text(dumper: Any, said: str) -> object:
        style = "|" if "\n" in said else "'" if _NO_TEXT.fullmatch(said) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", said, style=style)

    dumper: Any = type("Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
    dumper.add_representer(str, text)
    return str(yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100))


def table(world: World, found: Table, *, namespaces: bool = False, prefix: str = "") -> None:
    """Print a table that the server made; `prefix` goes before the names, its first column."""
    shown = [
        i for i, column in enumerate(found.column_definitions)
        if column.priority == 0 or world.output == "wide"
    ]  # fmt: skip
    head = [found.column_definitions[i].name.upper() for i in shown]
    cells = [[cell(row.cells[i]) for i in shown] for row in found.rows]
    cells = [[prefix + first, *rest] for first, *rest in cells]
    if namespaces:
        head = ["NAMESPACE", *head]
        cells = [
            [row.object.metadata.namespace, *rest]
            for row, rest in zip(found.rows, cells, strict=True)
        ]
    rows(head, cells)


def cell(value: object) -> str:
    """A table's cell as text."""
    if value is None or value == "":
        return "<none>"
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def age(world: World, stamp: str | None) -> str:
    """How long ago a time of the server was."""
    from athanor.kit.spans import show_span
    from athanor.kit.times import parse_rfc3339

    if not stamp:
        return "-"
    return show_span(world.clock.now() - parse_rfc3339(stamp))
