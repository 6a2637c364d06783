"""athanor simulate: what would happen, by the same scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from athanor.cli import files, show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.core import ConfigMap
    from athanor.api.meta import JSON, Object
    from athanor.features.scheduling.core.measure import Measures
    from athanor.features.scheduling.core.simulate import Scenario, Story

EXAMPLES = """\
athanor simulate
athanor simulate --add-nodes default=2 --plot more.svg
athanor simulate --history --quota team.limit.default.cpu=16 --policy reserved=4
athanor simulate --save today.json
athanor simulate --from today.json --arrivals 2 --queue team.weight=3 -o json"""

Change = Callable[["Scenario"], "Scenario"]


@verb(output=True, examples=EXAMPLES)
@click.option("--history", is_flag=True,
              help="Replay all that has run and is remembered, on empty nodes.")  # fmt: skip
@click.option("--from", "source", default="", metavar="FILE", help="A scenario that was saved.")
@click.option("--save", default="", metavar="FILE", help="Write the scenario, play nothing.")
@click.option("--add-nodes", multiple=True, metavar="LIKE=N",
              help="N nodes more, like this node or this pool's; repeatable.")  # fmt: skip
@click.option("--remove-nodes", multiple=True, metavar="NAME",
              help="Without this node, or this pool's; repeatable.")  # fmt: skip
@click.option("--quota", multiple=True, metavar="QUEUE.WHAT.POOL.RESOURCE=AMOUNT",
              help="Another guaranteed, deserved, limit or lendable; repeatable.")  # fmt: skip
@click.option("--queue", multiple=True, metavar="QUEUE.RULE=VALUE",
              help="Another weight, strict (yes, no) or state; repeatable.")  # fmt: skip
@click.option("--policy", multiple=True, metavar="FIELD=VALUE",
              help="Another rule of the scheduler, for instance reserved=4.")  # fmt: skip
@click.option("--arrivals", type=click.IntRange(1, 100), default=1, metavar="N",
              help="All that waits or comes, N times.")  # fmt: skip
@click.option("--runtime", default="1h", show_default=True, metavar="TIME",
              help="How long gangs run that do not say.")  # fmt: skip
@click.option("--until", default="30d", show_default=True, metavar="TIME",
              help="Play no further than this.")  # fmt: skip
@click.option("--plot", default="", metavar="FILE",
              help="Draw use, fragmentation, line and shares (.svg, .png, .html).")  # fmt: skip
def command(world: World, source: str, save: str, plot: str, **wishes: object) -> None:
    """Play the cluster forward by its own scheduler, with changes."""
    from athanor.features.scheduling import scenario as scenarios

    before, recorded = _scenario(world, source, wishes)
    if save:
        with open(save, "w", encoding="utf-8") as file:
            file.write(scenarios.write(before))
        show.note(f"scenario of {len(before.snapshot.gangs.names)} gangs written to {save}")
        return
    after = _changed(before, wishes)
    _play(world, {"as it is": before, **({"changed": after} if after is not before else {})},
          _span(str(wishes["until"])), plot, recorded)  # fmt: skip


def _play(
    world: World, cases: dict[str, Scenario], until: float, plot: str, recorded: Story | None
) -> None:  # fmt: skip
    from athanor.features.scheduling.core.measure import measures
    from athanor.features.scheduling.core.simulate import play

    stories = {name: play(one, one.start + until) for name, one in cases.items()}
    told = {name: measures(cases[name], story) for name, story in stories.items()}
    if recorded is not None:
        told = {"recorded": measures(next(iter(cases.values())), recorded), **told}
    if plot:
        from athanor.cli.plots import draw

        draw(stories, next(iter(cases.values())).snapshot.queues.names, plot)
    if world.output in ("json", "yaml"):
        import dataclasses

        show.document(
            world, {name: {**{what: None if value != value else value  # nobody knows
                              for what, value in dataclasses.asdict(one).items()},
                           **({"stuck": stories[name].stuck} if name in stories else {})}
                    for name, one in told.items()},
        )  # fmt: skip
        return
    _table(told)
    for name, story in stories.items():
        if story.stuck:
            show.note(f"{story.stuck} gangs never start {name if len(stories) > 1 else ''}".strip())
    if plot:
        show.note(f"drawn in {plot}")


def _table(told: dict[str, Measures]) -> None:
    from athanor.features.scheduling.core.measure import UNITS

    head = ["", *(name.upper() for name in told)] if len(told) > 1 else ["", ""]
    rows = [
        [name.replace("_", " "), *(_number(getattr(one, name), unit) for one in told.values())]
        for name, unit in UNITS.items()
    ]
    queues = sorted({queue for one in told.values() for queue in one.queues})
    rows += [
        [f"mean wait in {queue}",
         *(_number(one.queues[queue][1], "s") if queue in one.queues else "-"
           for one in told.values())]
        for queue in queues
    ]  # fmt: skip
    show.rows(head, rows)


def _number(value: float, unit: str) -> str:
    from athanor.kit.spans import show_span

    if value != value:  # not a number: nobody knows
        return "-"
    if unit == "s":
        return show_span(value)
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _scenario(
    world: World, source: str, wishes: dict[str, object]
) -> tuple[Scenario, Story | None]:
    """What to play, and, of what has been, what really happened."""
    from athanor.features.scheduling import replay
    from athanor.features.scheduling import scenario as scenarios
    from athanor.features.scheduling.core.decisions import Policy

    try:
        if source:
            return scenarios.read(files.text(source, "--from")), None
        objects = {kind: _listed(world, kind) for kind in scenarios.KINDS}
        now = world.clock.now()
        if wishes["history"]:
            past = replay.history(objects, Policy(), now, _records(world))
            if past.on_todays:
                show.note("on the nodes of today: nobody remembers others")
            if past.unknown:
                show.note(f"of {past.unknown} gangs nobody remembers when they began")
            return past.scenario, past.recorded
        return scenarios.live(objects, Policy(), now, _span(str(wishes["runtime"]))), None
    except ValueError as wrong:
        raise Failure(f"{source}: {wrong}" if source else str(wrong)) from None


def _listed(world: World, kind: type[Object]) -> list[Object]:
    import msgspec

    from athanor.api.registry import of

    found: JSON = world.client.list(of(kind), everywhere=True)
    return [msgspec.convert(item, kind) for item in found.get("items", [])]


def _records(world: World) -> list[ConfigMap]:
    """What is remembered of gangs that are gone, to those who may read it."""
    import os

    import msgspec

    from athanor.api.core import ConfigMap
    from athanor.api.registry import of
    from athanor.features.scheduling import record
    from athanor.wire.status import ApiError

    found: list[ConfigMap] = []
    for home in ("kube-system", os.environ.get("ATHANOR_NAMESPACE") or "athanor-system"):
        try:
            said = world.client.list(of(ConfigMap), namespace=home, labels=record.LABEL)
        except ApiError as wrong:
            if wrong.reason != "Forbidden":
                raise
            show.note(f"without gangs that are gone: you may not list ConfigMaps in {home}")
            return []
        found += msgspec.convert(said["items"], list[ConfigMap])
    if missing := record.left_out(found):
        show.note(f"{missing} gangs were too many to be remembered")
    return found


def _changed(before: Scenario, wishes: dict[str, object]) -> Scenario:
    """The scenario with all changes that were asked for."""
    from athanor.features.scheduling.core import alter

    after = before
    try:
        for like, count in _pairs(wishes["add_nodes"]):
            if not count.isdecimal():
                raise Failure(f"--add-nodes {like}={count}: how many is a number")
            after = alter.more_nodes(after, like, int(count))
        if isinstance(gone := wishes["remove_nodes"], tuple) and gone:
            after = alter.fewer_nodes(after, list(gone))
        for words, amount in _pairs(wishes["quota"]):
            after = _quota(after, words, amount)
        for words, value in _pairs(wishes["queue"]):
            name, _, what = words.rpartition(".")
            after = alter.rule(after, name, what, value)
        for what, value in _pairs(wishes["policy"]):
            after = alter.policy(after, what, value)
        if isinstance(times := wishes["arrivals"], int) and times > 1:
            after = alter.arrivals(after, times)
    except alter.Unknown as wrong:
        raise Failure(str(wrong)) from None
    return after


def _quota(scenario: Scenario, words: str, amount: str) -> Scenario:
    from athanor.features.scheduling import queues
    from athanor.features.scheduling.core import alter
    from athanor.kit.quantity import QuantityError

    parts = words.split(".", 3)
    if len(parts) != 4:
        raise Failure(f"--quota {words}: write QUEUE.WHAT.POOL.RESOURCE=AMOUNT")
    queue, what, pool, resource = parts
    try:
        units = queues.amounts_of({resource: amount}, frozenset(scenario.snapshot.device_kinds))
    except QuantityError as wrong:
        raise Failure(f"--quota {words}={amount}: {wrong}") from None
    return alter.quota(scenario, queue, what, pool, resource, units[resource])


def _pairs(words: object) -> list[tuple[str, str]]:
    found = []
    for word in words if isinstance(words, tuple) else ():
        left, equals, right = str(word).rpartition("=")
        if not equals or not left:
            raise Failure(f"{word!r}: write NAME=VALUE")
        found.append((left, right))
    return found


def _span(text: str) -> float:
    from athanor.kit.spans import parse_span

    try:
        return float(parse_span(text))
    except ValueError as wrong:
        raise Failure(str(wrong)) from None
