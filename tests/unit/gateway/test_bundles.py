"""Parts of uploads that come at the same time."""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from athanor.gateway.bundles import Bundles
from athanor.sdk import code
from athanor.wire.status import ApiError
from tests.unit.gateway.test_door import world


class Slow(Bundles):
    """On a volume that takes its time."""

    def _check_room(self, namespace: str, more: int) -> None:
        time.sleep(0.05)
        super()._check_room(namespace, more)


def test_a_part_that_is_sent_again_before_it_was_answered_is_written_once(tmp_path: Path) -> None:
    data = bytes(range(200))
    digest = hashlib.sha256(data).hexdigest()
    bundles = Slow(tmp_path)
    bundles.add("default", digest, 0, data[:100], last=False)

    def part(_: int) -> str:
        try:
            return str(bundles.add("default", digest, 100, data[100:150], last=False).size)
        except ApiError as error:
            return error.reason

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(part, range(8))) == ["150", *["Conflict"] * 7]
    assert bundles.add("default", digest, 150, data[150:], last=True).complete


def test_people_who_upload_the_same_at_the_same_time_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "PART", 100)
    data = bytes(range(250)) * 4
    packed = code.Packed(f"sha256:{hashlib.sha256(data).hexdigest()}", data, 1)

    async def main() -> None:
        async with world(tmp_path) as here:
            sdks = [here.sdk("ada") for _ in range(4)]
            await asyncio.gather(*(sdk.upload(packed) for sdk in sdks))
            state = here.bundles.state("default", packed.digest)
            assert (state.complete, state.size) == (True, len(data))

    asyncio.run(main())
