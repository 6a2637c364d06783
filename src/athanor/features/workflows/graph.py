"""The steps as a graph: which waits for which, and what is wrong with it, by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from athanor.api.meta import to_manifest
from athanor.api.workflows import Step, Workflow
from athanor.kit import fill
from athanor.kit.condition import BadCondition, check

LONGEST_OBJECT = 52
"""Names of steps' objects: their pods add a role and a rank."""
SPACES = ("parameters", "steps", "artifacts", "item", "workflow")
OF_STEP = ("phase", "message", "object", "metrics", "outputs")


def names(step: Step) -> list[str]:
    """All names that a step's template, items and condition use. Raises BadCondition."""
    found = [*fill.names(to_manifest(step.template)), *fill.names(step.with_param)]
    found += list(fill.names(list(step.with_items)))
    return found + (check(step.when) if step.when else [])


def before(step: Step) -> list[str]:
    """The steps that a step waits for: those it says, and those whose results it names."""
    named = [n.split(".")[1] for n in names(step) if n.split(".")[0] in ("steps", "artifacts")]
    return list(dict.fromkeys(s for s in (*step.depends_on, *named) if s != step.name))


def wrong(workflow: Workflow) -> str:
    """What makes no sense, with its field; "" when all is well."""
    spec = workflow.spec
    known = {step.name: index for index, step in enumerate(spec.steps)}
    parameters = {parameter.name for parameter in spec.parameters}
    places = [(f"spec.steps[{index}]", step) for index, step in enumerate(spec.steps)]
    if spec.on_exit is not None:
        places.append(("spec.onExit", spec.on_exit))
    seen: set[str] = set()
    for where, step in places:
        if step.name in seen:
            return f"{where}.name: {step.name} is there twice"
        seen.add(step.name)
        said = _step(where, step, known, parameters)
        if said:
            return said
        longest = f"{workflow.metadata.name}-{step.name}-99-r9"
        if len(longest) > LONGEST_OBJECT:
            return f"{where}.name: {longest} would be too long: shorten the workflow's or its name"
    return _cycle({step.name: before(step) for step in spec.steps}, known)


def _step(where: str, step: Step, known: Mapping[str, int], parameters: set[str]) -> str:
    for place, name in enumerate(step.depends_on):
        if name not in known:
            there = ", ".join(sorted(known))
            return f"{where}.dependsOn[{place}]: there is no step {name!r}; there are {there}"
    if step.with_items and step.with_param:
        return f"{where}.withParam: give either withItems or withParam"
    try:
        used = names(step)
    except BadCondition as bad:
        return f"{where}.when: {bad}"
    for name in used:
        said = _name(name, known, parameters, fans=bool(step.with_items or step.with_param))
        if said:
            return f"{where}: {name}: {said}"
    return ""


def _name(name: str, known: Mapping[str, int], parameters: set[str], *, fans: bool) -> str:
    space, _, rest = name.partition(".")
    if space not in SPACES:
        return f"stands for nothing; names begin with {', '.join(SPACES)}"
    if space == "parameters" and rest not in parameters:
        return f"there is no parameter {rest!r}"
    first, _, part = rest.partition(".")
    if space in ("steps", "artifacts") and first not in known:
        return f"there is no step {first!r}"
    if space == "steps" and part.partition(".")[0] not in OF_STEP:
        return f"a step has {', '.join(OF_STEP)}"
    if space == "item" and not fans:
        return "the step has neither withItems nor withParam"
    if space == "item" and rest not in ("value", "index"):
        return "an item has value and index"
    if space == "workflow" and rest not in ("name", "phase", "failed"):
        return "a workflow has name, phase and failed"
    return ""


def _cycle(waits: Mapping[str, Sequence[str]], known: Mapping[str, int]) -> str:
    """A cycle, named whole, or ""."""
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        found = _walk(start, waits, path, done)
        if found:
            loop = " → ".join(found)
            return f"spec.steps[{known[found[0]]}].dependsOn: steps wait for each other: {loop}"
    return ""


def _walk(
    name: str, waits: Mapping[str, Sequence[str]], path: list[str], done: set[str]
) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done or name not in waits:
        return []
    path.append(name)
    for earlier in waits[name]:
        found = _walk(earlier, waits, path, done)
        if found:
            return found
    path.pop()
    done.add(name)
    return []


def ordered(steps: Sequence[Step]) -> Iterator[Step]:
    """Steps so that each comes after those it waits for; the graph must have no cycle."""
    left = list(steps)
    given: set[str] = set()
    while left:
        ready = [step for step in left if set(before(step)) <= given]
        yield from ready
        given |= {step.name for step in ready}
        left = [step for step in left if step.name not in given]
