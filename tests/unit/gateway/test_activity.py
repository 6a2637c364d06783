"""What is written of activity: only news, and use only when something was done."""

from __future__ import annotations

from athanor.api.workspaces import Activity
from athanor.gateway.activity import RECENT, news
from athanor.kit.times import parse_rfc3339, rfc3339

NOW = 1_800_000_000.0


def test_nothing_new_is_not_written() -> None:
    old = Activity(web=rfc3339(NOW - 5))
    assert news(old, {}, 10.0, NOW) is None
    assert news(old, {"web": NOW - 5}, 10.0, NOW) is None
    assert news(old, {"web": NOW - 60}, 10.0, NOW) is None


def test_use_is_counted_while_something_is_done() -> None:
    told = news(Activity(busy_seconds=30.0), {"kernel": NOW - 1}, 10.0, NOW)
    assert told is not None
    assert (parse_rfc3339(told.kernel), told.busy_seconds, told.gpu_busy_seconds) == (
        NOW - 1, 40.0, None,
    )  # fmt: skip
    late = news(Activity(busy_seconds=30.0), {"terminal": NOW - 2 * RECENT}, 10.0, NOW)
    assert late is not None and late.busy_seconds == 30.0
    busy = news(Activity(), {"gpu": NOW}, 10.0, NOW)
    assert busy is not None and busy.gpu_busy_seconds == 10.0


def test_a_gpu_that_nobody_measures_has_no_use_and_one_that_is_has_some() -> None:
    told = news(Activity(gpu_busy_seconds=0.0), {"web": NOW}, 10.0, NOW)
    assert told is not None and told.gpu_busy_seconds == 0.0
    told = news(told, {"gpu": NOW + 10}, 10.0, NOW + 10)
    assert told is not None and (told.busy_seconds, told.gpu_busy_seconds) == (20.0, 10.0)
