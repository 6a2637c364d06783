"""What is written into a gang's status."""

from __future__ import annotations

import msgspec

from athanor.api import labels
from athanor.api.core import Pod
from athanor.api.meta import ObjectMeta
from athanor.api.scheduling import Progress
from athanor.features.gangs.status import fresh_progress, progress

NOW = 1_800_000_000.0


def saying(text: str | None) -> Pod:
    return Pod(metadata=ObjectMeta(annotations={} if text is None else {labels.PROGRESS: text}))


def test_progress_is_what_the_first_rank_says_that_makes_sense() -> None:
    pods = [saying(None), saying("nonsense"), saying('{"step": 3, "total": 9}'), saying("{}")]
    assert progress(pods) == Progress(step=3, total=9)
    assert progress([saying(None)]) is None


def test_mere_steps_wait_and_checkpoints_do_not() -> None:
    have = Progress(step=1, updated_at="2027-01-15T08:00:00Z")
    step = msgspec.structs.replace(have, step=2)
    saved = msgspec.structs.replace(step, last_checkpoint_step=2)
    assert fresh_progress(None, step, NOW) == step
    assert fresh_progress(have, step, NOW + 1) == have
    assert fresh_progress(have, step, NOW + 2) == step
    assert fresh_progress(have, saved, NOW + 1) == saved
    assert fresh_progress(have, None, NOW + 9) == have
