"""athanor queue: queues, their quota and their use; who may make them may change them here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from athanor.cli import makers, quotas, shared, show
from athanor.cli.complete import names_of
from athanor.cli.failures import Failure
from athanor.cli.verb import Listing, Verb, verb
from athanor.cli.verbs.delete import confirm
from athanor.cli.world import World

if TYPE_CHECKING:
    from athanor.api.meta import JSON
    from athanor.api.scheduling import Queue

EXAMPLES = """\
athanor queue
athanor queue tree
athanor queue create team-a --guaranteed gpu=8 --deserved gpu=16 --limit gpu=32
athanor queue set team-a --weight 3 --limit gpu=none
athanor queue hold team-a"""

QUOTAS = ("guaranteed", "deserved", "limit", "lendable")


@click.group(cls=Listing, epilog=makers.epilog(EXAMPLES))
def command() -> None:
    """Show, make and change queues, their quota and their use."""


@verb(output=True, examples="athanor queue list\nathanor queue list default -o wide")
@click.argument("name", required=False, default="", shell_complete=names_of("queues"))
def list_(world: World, name: str) -> None:
    """Show all queues, or one: of each pool what is used, deserved and the limit."""
    show_queues(world, name)


@verb(output=True, examples="athanor queue get default\nathanor queue get default -o yaml")
@click.argument("name", shell_complete=names_of("queues"))
def get(world: World, name: str) -> None:
    """Show one queue: quota, use, rules, and the top of its line."""
    show_queues(world, name)
    if world.output in ("table", "wide"):
        _details(_queues(world, name)[0])


@verb(output=True, examples="athanor queue tree\nathanor queue tree -o json")
def tree(world: World) -> None:
    """Show who is below whom, what each uses of its right, and who waits."""
    queues = _queues(world)
    if world.output not in ("table", "wide"):
        shared.listed(world, shared.kind_of("queues"))
        return
    below: dict[str, list[Queue]] = {}
    names = {queue.metadata.name for queue in queues}
    for queue in queues:
        up = queue.spec.parent if queue.spec.parent in names else ""
        below.setdefault(up, []).append(queue)
    rows: list[list[str]] = []
    shown: set[str] = set()

    def branch(parent: str, indent: str, seen: frozenset[str]) -> None:
        mine = [q for q in below.get(parent, []) if q.metadata.name not in seen]
        for i, queue in enumerate(mine):
            last = i == len(mine) - 1
            mark = "" if not parent else indent + ("└─ " if last else "├─ ")
            rows.append([mark + queue.metadata.name, *_summary(queue)])
            shown.add(queue.metadata.name)
            deeper = "" if not parent else indent + ("   " if last else "│  ")
            branch(queue.metadata.name, deeper, seen | {queue.metadata.name})

    branch("", "", frozenset())
    circling = [queue for queue in queues if queue.metadata.name not in shown]
    rows += [[queue.metadata.name, *_summary(queue)] for queue in circling]
    show.rows(["QUEUE", "STATE", "WEIGHT", "SHARE", "RUNNING", "WAITING", "USED"], rows)


def _options(function: Verb) -> Verb:
    """The options that create and set share."""
    options: list[Callable[[Verb], Verb]] = [
        click.option("--pool", default="default", show_default=True, metavar="POOL",
                     help="Which pool the amounts are of."),
        *(click.option(f"--{name}", multiple=True, callback=shared.amounts,
                       metavar="RES=N,...", help=text)
          for name, text in (
              ("guaranteed", "What it always gets back."),
              ("deserved", "What it is entitled to when everybody asks."),
              ("limit", "What it never passes; none takes a limit away."),
              ("lendable", "What of its guarantee others may use meanwhile."),
          )),
        click.option("--spill-after", callback=makers.seconds, metavar="TIME",
                     help="How long work waits for this pool before it may go to the next."),
        click.option("--parent", metavar="QUEUE", help="The queue above."),
        click.option("--weight", type=click.IntRange(1, 1000000), metavar="N",
                     help="Its part of what is idle, against its siblings'."),
        click.option("--half-life", callback=makers.seconds, metavar="TIME",
                     help="After how long past use counts half."),
        click.option("--strict/--best-effort", default=None,
                     help="Whether a blocked head lets others pass."),
        click.option("--min-runtime", callback=makers.seconds, metavar="TIME",
                     help="How long its work is safe after it started."),
        click.option("--max-runtime", callback=makers.seconds, metavar="TIME",
                     help="Nothing in it runs longer."),
        click.option("--max-start", callback=makers.seconds, metavar="TIME",
                     help="Who has not started by then gives its places back."),
        click.option("--max-grace", callback=makers.seconds, metavar="TIME",
                     help="How long its work may ask others to wait for a checkpoint."),
        click.option("--user-limit", multiple=True, callback=shared.amounts,
                     metavar="RES=N,...", help="What one user may hold."),
        click.option("--budget", metavar="HOURS[/PERIOD]",
                     help="GPU-hours per Day, Week, Month or Total, as 1000/Month."),
        click.option("--namespaces", metavar="LABEL=VALUE",
                     help="Only namespaces with this label may submit."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@verb(output=True, examples="athanor queue create team-a --guaranteed gpu=8 --limit gpu=32\n"
      "athanor queue create interns --parent team-a --strict --user-limit gpu=1")  # fmt: skip
@click.argument("name")
@_options
@click.option("--dry-run", is_flag=True, help="Print what would be created; needs no server.")
def create(world: World, name: str, dry_run: bool, **wishes: object) -> None:
    """Make a queue."""
    spec = _spec(wishes)
    quota = _quota({}, wishes)
    spec["pools"] = [quota]
    if not dry_run:
        quotas.check(world, queues={name: {"metadata": {"name": name}, "spec": spec}})
    shared.created(world, shared.kind_of("queues"), name, spec, dry_run=dry_run)


@verb(output=True, examples="athanor queue set team-a --limit gpu=64\n"
      "athanor queue set team-a --pool cloud --limit gpu=16 --spill-after 10m")  # fmt: skip
@click.argument("name", shell_complete=names_of("queues"))
@_options
@click.option("--dry-run", is_flag=True, help="Print what it would be; changes nothing.")
def set_(world: World, name: str, dry_run: bool, **wishes: object) -> None:
    """Change a queue's quota or rules; what is not named stays."""
    kind = shared.kind_of("queues")
    spec = _spec(wishes)
    if any(wishes[q] for q in QUOTAS) or wishes["spill_after"] is not None:
        pools: list[JSON] = list(world.client.get(kind, name)["spec"].get("pools", []))
        at = next((i for i, one in enumerate(pools) if one["pool"] == wishes["pool"]), len(pools))
        pools[at : at + 1] = [_quota(pools[at] if at < len(pools) else {}, wishes)]
        spec["pools"] = pools
    if not spec:
        raise click.UsageError("say what is to change; athanor queue set --help lists it")
    wanted = world.client.patch(kind, name, {"spec": spec}, dry_run=True)
    quotas.check(world, queues={name: wanted})
    shared.changed(world, kind, name, spec, dry_run=dry_run)


@verb(examples="athanor queue delete interns --yes")
@click.argument("names", nargs=-1, required=True, shell_complete=names_of("queues"))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(world: World, names: tuple[str, ...], yes: bool) -> int:
    """Delete queues. What runs in them goes on; what waits is told that its queue is gone.

    A queue with others below it is refused, unless these are named, too. So is the default one,
    where everything goes that names no queue.
    """
    from athanor.api.scheduling import DEFAULT_QUEUE

    if DEFAULT_QUEUE in names:
        raise Failure(
            f"work that names no queue goes to queue {DEFAULT_QUEUE}, and would wait for ever",
            hint=f"athanor queue close {DEFAULT_QUEUE} lets nothing in; "
            f"athanor delete queue/{DEFAULT_QUEUE} deletes it all the same",
        )
    quotas.check(world, queues=dict.fromkeys(names))
    if not yes:
        confirm(f"delete {', '.join(_load(world, name) for name in names)}?")
    return shared.removed(world, shared.kind_of("queues"), names)


def _load(world: World, name: str) -> str:
    """A queue's name, and how much its end concerns."""
    status = _queues(world, name)[0].status
    return f"{name} ({status.admitted} run, {status.pending} wait)"


def _state(word: str, state: str, text: str) -> click.Command:
    """A verb that puts a queue into a state."""

    def change(world: World, names: tuple[str, ...]) -> int:
        kind = shared.kind_of("queues")
        return makers.patched(world, kind, names, {"state": state}, f"is {state}")

    change.__doc__ = text
    named = click.argument("names", nargs=-1, required=True, shell_complete=names_of("queues"))(
        change
    )
    return verb(examples=f"athanor queue {word} team-a")(named)


hold = _state("hold", "Hold", "Let nothing new start; what runs goes on, what comes waits.")
drain = _state("drain", "Drain", "Let nothing new start, so that it is empty one day.")
open_ = _state("open", "Open", "Let work start again.")
close = _state("close", "Closed", "Take nothing in any more.")

for made, word in (
    (list_, "list"), (get, "get"), (tree, "tree"), (create, "create"), (set_, "set"),
    (hold, "hold"), (drain, "drain"), (open_, "open"), (close, "close"), (delete, "delete"),
):  # fmt: skip
    command.add_command(made, word)


def _spec(wishes: Mapping[str, object]) -> JSON:
    """The rules that were asked for, as a Queue's spec has them; amounts aside."""
    spec: JSON = {}
    if wishes["parent"] is not None:
        spec["parent"] = wishes["parent"]
    share = {"weight": wishes["weight"], "halfLifeSeconds": wishes["half_life"]}
    if kept := {key: value for key, value in share.items() if value is not None}:
        spec["fairShare"] = kept
    if wishes["strict"] is not None:
        spec["ordering"] = "StrictFIFO" if wishes["strict"] else "BestEffortFIFO"
    preemption = {
        "minRuntimeSeconds": wishes["min_runtime"], "maxGraceSeconds": wishes["max_grace"],
    }  # fmt: skip
    if kept := {key: value for key, value in preemption.items() if value is not None}:
        spec["preemption"] = kept
    if wishes["max_runtime"] is not None:
        spec["maxRuntimeSeconds"] = wishes["max_runtime"]
    if wishes["max_start"] is not None:
        spec["maxStartSeconds"] = wishes["max_start"]
    if isinstance(limit := wishes["user_limit"], dict) and limit:
        spec["userLimit"] = {k: None if v == "none" else v for k, v in limit.items()}
    if isinstance(budget := wishes["budget"], str):
        hours, _, period = budget.partition("/")
        spec["budget"] = {"gpuHours": hours, **({"period": period} if period else {})}
    if isinstance(label := wishes["namespaces"], str):
        key, equals, value = label.partition("=")
        if not equals:
            raise Failure(f"--namespaces {label}: write LABEL=VALUE")
        spec["namespaceSelector"] = {"matchLabels": {key: value}}
    return spec


def _quota(old: JSON, wishes: Mapping[str, object]) -> JSON:
    """A pool's entry with the amounts that were asked for."""
    quota: JSON = {**old, "pool": wishes["pool"]}
    for name in QUOTAS:
        said = wishes[name]
        if isinstance(said, dict) and said:
            whole = {**quota.get(name, {}), **said}
            quota[name] = {key: value for key, value in whole.items() if value != "none"}
    if wishes["spill_after"] is not None:
        quota["spillAfterSeconds"] = wishes["spill_after"]
    return quota


def show_queues(world: World, name: str = "") -> None:
    """All queues (or one) as is asked for: a table, JSON, YAML or names."""
    if world.output not in ("table", "wide"):
        shared.listed(world, shared.kind_of("queues"), name)
        return
    print_queues(world, name)


def print_queues(world: World, name: str = "") -> None:
    """All queues (or one) as a table: of each pool what is used, deserved and the limit."""
    wide = world.output == "wide"
    rows = [row for queue in _queues(world, name) for row in _rows(queue, wide=wide)]
    if not rows:
        show.note("no queues")
        return
    if any(row[2].endswith("/gpu") for row in rows):
        from athanor.cli.verbs.pool import mark, simulated

        marked = simulated(world)
        rows = [[*row[:2], row[2] + mark(row[2], marked), *row[3:]] for row in rows]
    head = ["QUEUE", "POOL", "RESOURCE", "USED", "GUARANTEED", "DESERVED", "LIMIT", "WAITING"]
    show.rows([*head, *(["LENDABLE", "STATE", "SHARE", "PARENT"] if wide else [])], rows)


def _queues(world: World, name: str = "") -> list[Queue]:
    import msgspec

    from athanor.api.scheduling import Queue

    kind = shared.kind_of("queues")
    items = [world.client.get(kind, name)] if name else world.client.list(kind).get("items", [])
    return sorted((msgspec.convert(item, Queue) for item in items), key=_by_name)


def _by_name(queue: Queue) -> str:
    return queue.metadata.name


def _summary(queue: Queue) -> list[str]:
    """State, weight, share, running, waiting, and all that is used."""
    used = [f"{pool.pool}: " + _said(pool.used) for pool in queue.status.use if pool.used]
    weight = queue.spec.fair_share.weight if queue.spec.fair_share else 1
    return [
        queue.spec.state, str(weight), queue.status.share or "0", str(queue.status.admitted),
        str(queue.status.pending), "; ".join(used) or "-",
    ]  # fmt: skip


def _said(amounts: Mapping[str, str | int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in amounts.items())


def _details(queue: Queue) -> None:
    """The rules of one queue, what is wrong with it, and the top of its line."""
    spec, status = queue.spec, queue.status
    show.line(f"state: {spec.state}, {spec.ordering}; {status.admitted} run, {status.pending} wait")
    for condition in status.conditions:
        if condition.status == "False":
            show.line(f"{condition.reason}: {condition.message}")
    for place, one in enumerate(status.top, 1):
        show.line(f"  {place}. waits, priority {one.priority}: {one.reason}")


def _rows(queue: Queue, *, wide: bool) -> list[list[str]]:
    used = {use.pool: use.used for use in queue.status.use}
    more = [queue.spec.state, queue.status.share or "0", queue.spec.parent or "-"]
    rows: list[list[str]] = []
    for quota in queue.spec.pools:
        mine = used.get(quota.pool, {})
        names = {**quota.guaranteed, **quota.deserved, **quota.limit, **mine}
        rows += [
            [
                queue.metadata.name, quota.pool, resource, str(mine.get(resource, "0")),
                str(quota.guaranteed.get(resource, "-")), str(quota.deserved.get(resource, "-")),
                str(quota.limit.get(resource, "-")), str(queue.status.pending),
                *([str(quota.lendable.get(resource, "-")), *more] if wide else []),
            ]
            for resource in sorted(names)
        ]  # fmt: skip
    if not rows:
        name, waiting = queue.metadata.name, str(queue.status.pending)
        rows.append([name, "-", "-", "0", "-", "-", "-", waiting, *(["-", *more] if wide else [])])
    return rows
