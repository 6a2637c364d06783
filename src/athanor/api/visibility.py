"""What `visibility.athanor.dev` answers: computed when somebody asks, stored nowhere.

Paths, all read with GET: `namespaces/NS/gangs` (every waiting gang with its place), and of one gang
`namespaces/NS/gangs/NAME`, with `/start` (when it will start) and `/changes` (what would let it
start now). For administrators `queues/NAME` (its line) and
`snapshots/latest`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import field

from athanor.api.meta import JSON, Base, Object
from athanor.api.scheduling import Reason

GROUP = "visibility.athanor.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Position(Base, frozen=True, kw_only=True):
    """The place in the line of a queue: 1 is the first of `waiting`."""

    queue: str
    place: int
    waiting: int


class Holder(Base, frozen=True, kw_only=True):
    """What a queue uses of a scarce resource, as quantities, and its right to it."""

    queue: str
    pool: str
    resource: str
    used: str
    deserved: str = "0"


class GangVisibility(Object, frozen=True, kw_only=True):
    """Where one gang stands: why it waits, why it is where it runs, or why it has to go.

    `reasons` are in the order in which they bar; `hints` say for each sort of reason what helps.
    `holders` use what it lacks first. `here` are the reasons for its place while it runs.
    """

    state: Literal["Waiting", "Running", "Leaving"]
    as_of: str = ""
    position: Position | None = None
    reasons: list[Reason] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    here: list[Reason] = field(default_factory=list)


class GangVisibilityList(Object, frozen=True, kw_only=True):
    """Waiting gangs in the order of their lines."""

    items: list[GangVisibility] = field(default_factory=list)


class Span(Base, frozen=True, kw_only=True):
    """From when to when; without `latest` nothing bounds it."""

    earliest: str
    latest: str | None = None


class GangStart(Object, frozen=True, kw_only=True):
    """When a waiting gang will start: with a chance of one half, and of nine in ten.

    `message` says what it rests on, or why nothing can be said.
    """

    as_of: str = ""
    half: Span | None = None
    most: Span | None = None
    message: str = ""


class Change(Base, frozen=True, kw_only=True):
    """One change of the gang's own request. `starts`: `Now`, or about when."""

    kind: str
    value: str
    message: str
    starts: str


class GangChanges(Object, frozen=True, kw_only=True):
    """The smallest changes that would let a gang start now or sooner, each planned again.

    `planned` is how many plans were made; `message` says why there are no changes.
    """

    as_of: str = ""
    changes: list[Change] = field(default_factory=list)
    planned: int = 0
    message: str = ""


def _resource(name: str, kind: str, verbs: list[str], *, namespaced: bool = True) -> JSON:
    return {
        "name": name, "singularName": "" if "/" in name else name.removesuffix("s"),
        "namespaced": namespaced, "kind": kind, "verbs": verbs,
    }  # fmt: skip


RESOURCES: JSON = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": API_VERSION,
    "resources": [
        _resource("gangs", "GangVisibility", ["get", "list"]),
        _resource("gangs/start", "GangStart", ["get"]),
        _resource("gangs/changes", "GangChanges", ["get"]),
        _resource("snapshots", "Snapshot", ["get"], namespaced=False),
        _resource("queues", "GangVisibilityList", ["get"], namespaced=False),
    ],
}
"""What discovery says of the group."""
