"""What a kind may say about its objects; everything has a default that does nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.wire.status import Cause


def _nothing(_: JSON) -> None:
    return None


def _no_causes(_: JSON) -> Sequence[Cause]:
    return ()


def _no_warnings(_: JSON) -> Sequence[str]:
    return ()


def _no_update_causes(_: JSON, __: JSON) -> Sequence[Cause]:
    return ()


def _keep(_: JSON, __: JSON) -> None:
    return None


class Strategy(Struct, frozen=True, kw_only=True):
    """How objects of one kind are written.

    `default` fills in a decoded object in place; `create` sets what only a creation sets (and
    drops what a creator may not); `update(new, old)` carries over what an update may not touch;
    `status(new, old)` the same for the status subresource. The checks answer causes; `check_new`
    is for kinds whose new objects may say less than old ones: asked instead of `check`.
    `warnings`: what is odd in a new object, and with `warns_updates` in a changed one.
    `generation`: whether `metadata.generation` counts changes of anything but metadata and status
    (and the fields of `uncounted`); `counts_labels`: of labels, too.
    `create_on_update`: whether a PUT may create. `unconditional`: a PUT without resourceVersion.
    `graceful`: deletion waits for somebody. `answers_object`: a deletion answers the object, not a
    Status. `keeps_status`: a creation may bring its status along. `changes_first`: what an update
    may not change is said before what is wrong with the new object.
    """

    default: Callable[[JSON], None] = _nothing
    create: Callable[[JSON], None] = _nothing
    update: Callable[[JSON, JSON], None] = _keep
    status: Callable[[JSON, JSON], None] = _keep
    check: Callable[[JSON], Sequence[Cause]] = _no_causes
    check_new: Callable[[JSON], Sequence[Cause]] | None = None
    check_update: Callable[[JSON, JSON], Sequence[Cause]] = _no_update_causes
    check_status: Callable[[JSON, JSON], Sequence[Cause]] = _no_update_causes
    warnings: Callable[[JSON], Sequence[str]] = _no_warnings
    name: Callable[[str], Sequence[str]] = names.subdomain
    generation: bool = False
    uncounted: frozenset[str] = frozenset()
    counts_labels: bool = False
    create_on_update: bool = False
    unconditional: bool = True
    graceful: bool = False
    answers_object: bool = False
    keeps_status: bool = False
    changes_first: bool = False
    warns_updates: bool = False
