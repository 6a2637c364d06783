"""What the verbs of crons, sweeps, workflows and workspaces share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from athanor.cli import files, show
from athanor.cli.failures import each
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.registry import Resource


def epilog(examples: str) -> str:
    """The examples of a group of verbs."""
    return "\b\nExamples:\n" + "".join(f"  {line}\n" for line in examples.splitlines())


def kind_of(word: str) -> Resource:
    """The resource of a kind of ours."""
    from athanor.api.registry import find

    found = find(word)
    assert found is not None
    return found


def seconds(_: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """A length of time as whole seconds, for options that take one."""
    from athanor.kit.spans import parse_span

    if text is None:
        return None
    try:
        return parse_span(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param=option) from None


def listed(world: World, kind: Resource, name: str = "", *, everywhere: bool = False) -> None:
    """Print all objects of a kind (or one) as the server shows them, or as is asked for."""
    if world.output not in ("table", "wide"):
        found = (
            world.client.get(kind, name) if name else world.client.list(kind, everywhere=everywhere)
        )
        show.document(world, found)
        return
    table = world.client.table(kind, name, everywhere=everywhere)
    if not table.rows:
        verb = "flow" if kind.singular == "workflow" else kind.singular
        hint = f"athanor {verb} --help shows how to make one"
        show.nothing(world, kind.plural, hint, everywhere=everywhere)
        return
    show.table(world, table, namespaces=everywhere)


def document(path: str) -> JSON:
    """The one object of a YAML or JSON file, `-` for standard input. Raises UsageError.

    A field that its kind does not have is refused: servers would drop it without a word.
    """
    from athanor.api import strict

    found = files.documents(path)
    if len(found) != 1 or not isinstance(found[0], dict):
        said = f"it holds {len(found)}" if len(found) != 1 else "it holds something else"
        raise click.UsageError(f"{path}: one object is wanted, {said}")
    whole: JSON = found[0]
    for wrong in strict.unknown(whole):
        raise click.UsageError(f"{path}: {wrong}")
    return whole


def template(world: World, path: str, words: Sequence[str]) -> JSON:
    """What is to be made, {kind, metadata, spec}: from a file, or from the words of a submit."""
    if bool(path) == bool(words):
        raise click.UsageError(
            "say what to make: -f FILE, or -- and what you would tell athanor submit"
        )
    whole = document(path) if path else _submitted(world, words)
    meta = whole.get("metadata") or {}
    _sensible(whole)
    kept = {k: meta[k] for k in ("labels", "annotations") if meta.get(k)}
    made: JSON = {"kind": whole.get("kind", "TrainingJob"), "spec": whole.get("spec") or {}}
    return {**made, "metadata": kept} if kept else made


def _submitted(world: World, words: Sequence[str]) -> JSON:
    """The job that `athanor submit WORDS` would create."""
    import contextlib
    import io
    import json

    from athanor.cli.root import root

    submit = root.get_command(click.get_current_context(), "submit")
    assert submit is not None
    framework, *rest = words
    args = [framework, "--dry-run", "-o", "json", *(rest if "--" in rest else ["--", *rest])]
    inner = World(clock=world.clock)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        submit.main(args, "athanor submit", standalone_mode=False, obj=inner)
    world.bundles += inner.bundles
    job: JSON = json.loads(said.getvalue())
    job["spec"].pop("outputs", None)  # it would be one directory for all of them
    return job


def create(world: World, kind: Resource, name: str, spec: JSON, *, dry_run: bool) -> None:
    """Create an object, or print what would be created."""
    wanted: JSON = {
        "apiVersion": kind.api_version, "kind": kind.kind,
        "metadata": {"name": name, "namespace": world.namespace or "default"}, "spec": spec,
    }  # fmt: skip
    created(world, kind, wanted, dry_run=dry_run)


def created(world: World, kind: Resource, wanted: JSON, *, dry_run: bool) -> None:
    """Create this object, or print it."""
    _sensible(wanted)
    if dry_run:
        if world.output in ("table", "wide"):
            world.output = "yaml"
        show.document(world, wanted)
        return
    meta = {k: v for k, v in wanted["metadata"].items() if k != "namespace" or world.namespace}
    world.upload(meta.get("namespace", world.where))
    made = world.client.create(kind, {**wanted, "metadata": meta})
    if world.output in ("table", "wide"):
        there = made["metadata"]
        show.line(f"{kind.singular} {there['name']} created in namespace {there['namespace']}")
    else:
        show.document(world, made)


def _sensible(manifest: JSON) -> None:
    """Refuse what could never run and no schema can tell: a cycle, a name that stands for nothing.

    Of workflows and sweeps, by their own rules.
    """
    import msgspec

    from athanor.api.sweeps import Sweep
    from athanor.api.workflows import Workflow
    from athanor.features.sweeps import names
    from athanor.features.workflows import graph

    kind = manifest.get("kind")
    try:
        if kind == "Workflow":
            wrong = graph.wrong(msgspec.convert(manifest, Workflow))
        elif kind == "Sweep":
            wrong = names.wrong(msgspec.convert(manifest, Sweep))
        else:
            return
    except msgspec.ValidationError as unreadable:
        wrong = str(unreadable)
    if wrong:
        raise click.UsageError(f"{str(kind).lower()}: {wrong}")


def removed(world: World, kind: Resource, names: Sequence[str]) -> int:
    """Delete objects with all that they made; the exit code."""

    def remove(name: str) -> None:
        world.client.delete(kind, name)
        show.line(f"{kind.singular} {name} deleted")

    return each(names, remove)


def unended(world: World, kind: Resource, name: str, *over: str) -> JSON:
    """An object whose phase is none of `over`. Raises ApiError(BadRequest) for others."""
    from athanor.wire.status import ApiError

    whole: JSON = world.client.get(kind, name)
    phase = (whole.get("status") or {}).get("phase", "")
    if phase in over:
        raise ApiError("BadRequest", f"{kind.singular} {name} has {phase.lower()}: make a new one")
    return whole


def patched(
    world: World, kind: Resource, names: Sequence[str], spec: JSON, said: str, *over: str
) -> int:
    """Change the same fields of the specs of some objects, and say so of each; the exit code.

    Those whose phase is one of `over` are left alone, and told of.
    """

    def patch(name: str) -> None:
        if over:
            unended(world, kind, name, *over)
        world.client.patch(kind, name, {"spec": spec})
        show.line(f"{kind.singular} {name} {said}")

    return each(names, patch)
