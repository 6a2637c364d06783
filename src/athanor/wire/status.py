"""Errors as the protocol has them: a `Status` object with a code, a reason and causes.

One exception type crosses our seams; its reasons are Kubernetes' words. The message says what,
where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from athanor.wire.request import Response

CODES = {
    "BadRequest": 400, "Unauthorized": 401, "Forbidden": 403, "NotFound": 404,
    "MethodNotAllowed": 405, "NotAcceptable": 406, "AlreadyExists": 409, "Conflict": 409,
    "Gone": 410, "Expired": 410, "RequestEntityTooLarge": 413, "UnsupportedMediaType": 415,
    "Invalid": 422, "TooManyRequests": 429, "InternalError": 500, "NotImplemented": 501,
    "ServiceUnavailable": 503, "Timeout": 504, "ServerTimeout": 500,
}  # fmt: skip
"""HTTP code of each reason (apimachinery `metav1.StatusReason`)."""


DETAILED = ("NotFound", "MethodNotAllowed")
"""Reasons whose `details` are there even when empty: kubectl reads them without looking."""


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One wrong field. `reason` is for instance FieldValueInvalid, `field` a path."""

    reason: str
    message: str
    field: str = ""


class ApiError(Exception):
    """The request cannot be answered as asked; carries all that a `Status` says."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        kind: str = "",
        group: str = "",
        name: str = "",
        causes: Sequence[Cause] = (),
        retry_after: int = 0,
        code: int = 0,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.kind = kind
        self.group = group
        self.name = name
        self.causes = tuple(causes)
        self.retry_after = retry_after
        self.code = code or CODES.get(reason, 500)

    def status(self) -> dict[str, Any]:
        """The `Status` object."""
        details: dict[str, Any] = {
            key: value
            for key, value in (
                ("name", self.name),
                ("group", self.group),
                ("kind", self.kind),
                ("causes", [msgspec.to_builtins(c) for c in self.causes]),
                ("retryAfterSeconds", self.retry_after),
            )
            if value
        }
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details or self.reason in DETAILED else {}),
            "code": self.code,
        }

    def response(self) -> Response:
        """The answer that carries this error."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return Response(
            status=self.code, body=msgspec.json.encode(self.status()) + b"\n", headers=headers
        )


def from_response(code: int, body: bytes) -> ApiError:
    """The error an answer with a failure code carries, whoever wrote its body."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        said = None
    if not isinstance(said, dict) or said.get("kind") != "Status":
        text = body.decode(errors="replace").strip()[:500]
        reason = next((r for r, c in CODES.items() if c == code), "InternalError")
        return ApiError(reason, text or f"the server answered {code}", code=code)
    details = said.get("details") or {}
    return ApiError(
        said.get("reason") or "InternalError",
        said.get("message") or f"the server answered {code}",
        kind=details.get("kind", ""),
        group=details.get("group", ""),
        name=details.get("name", ""),
        causes=[
            Cause(
                reason=c.get("reason", ""), message=c.get("message", ""), field=c.get("field", "")
            )
            for c in details.get("causes") or []
        ],
        retry_after=details.get("retryAfterSeconds", 0),
        code=said.get("code") or code,
    )
