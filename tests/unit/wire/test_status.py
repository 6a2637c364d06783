"""Errors travel as Status objects and come back as they were."""

from __future__ import annotations

import pytest

from athanor.wire.status import CODES, ApiError, Cause, from_response


@pytest.mark.parametrize("reason", sorted(CODES))
def test_there_and_back(reason: str) -> None:
    said = ApiError(
        reason, "it went wrong", kind="gangs", group="athanor.dev", name="a", retry_after=3,
        causes=[Cause(reason="FieldValueInvalid", message="no", field="spec.x")],
    )  # fmt: skip
    answer = said.response()
    assert answer.status == CODES[reason]
    assert answer.headers["Retry-After"] == "3"
    back = from_response(answer.status, answer.body)
    assert (back.reason, back.message, back.code) == (reason, "it went wrong", CODES[reason])
    assert (back.kind, back.group, back.name, back.retry_after) == ("gangs", "athanor.dev", "a", 3)
    assert back.causes == said.causes


def test_an_answer_by_somebody_else() -> None:
    said = from_response(502, b"<html>bad gateway</html>")
    assert (said.reason, said.code) == ("InternalError", 502)
    assert "bad gateway" in said.message
    assert from_response(503, b"").message == "the server answered 503"
    assert from_response(404, b'{"kind":"Other"}').reason == "NotFound"


def test_details_are_left_out_when_there_are_none() -> None:
    assert "details" not in ApiError("BadRequest", "no").status()
    assert not ApiError("BadRequest", "no").response().headers
