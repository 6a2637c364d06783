"""The errors of the API in Kubernetes' own wording, one function each; all return ApiError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from athanor.api.registry import Resource
from athanor.wire.status import ApiError, Cause


def not_found(resource: Resource, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(
        "NotFound", f'{resource.name} "{name}" not found', kind=resource.plural,
        group=resource.group, name=name,
    )  # fmt: skip


def already_exists(resource: Resource, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(
        "AlreadyExists", f'{resource.name} "{name}" already exists', kind=resource.plural,
        group=resource.group, name=name,
    )  # fmt: skip


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """Somebody else was faster, or a precondition does not hold."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    return ApiError(
        "Conflict", f'Operation cannot be fulfilled on {resource.name} "{name}": {why}',
        kind=resource.plural, group=resource.group, name=name,
    )  # fmt: skip


def precondition(resource: Resource, name: str, why: str) -> ApiError:
    """A precondition of a deletion does not hold; here Kubernetes names the kind."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(
        "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}',
        kind=resource.kind, group=resource.group, name=name,
    )  # fmt: skip


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    """Admission says no."""
    return ApiError(
        "Forbidden", f'{resource.name} "{name}" is forbidden: {why}', kind=resource.plural,
        group=resource.group, name=name, causes=causes,
    )  # fmt: skip


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """Fields are wrong; `causes` says which."""
    said = [f"{c.field}: {c.message}" if c.field else c.message for c in causes]
    seen = list(dict.fromkeys(said))
    text = seen[0] if len(seen) == 1 else f"[{', '.join(seen)}]"
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        "Invalid", f'{qualified} "{name}" is invalid: {text}', kind=kind, group=group, name=name,
        causes=causes,
    )  # fmt: skip


def invalid_object(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """Fields of an object are wrong."""
    return invalid(resource.kind, resource.group, name, causes)


def options(kind: str, causes: Sequence[Cause]) -> ApiError:
    """Query or body options (ListOptions, DeleteOptions, …) are wrong."""
    return invalid(kind, "meta.k8s.io", "", causes)


def bad(message: str, field: str = "") -> ApiError:
    """The request makes no sense as it is; `field` says where, when the words do not."""
    where = [Cause(reason="FieldValueInvalid", message=message, field=field)] if field else ()
    return ApiError("BadRequest", message, causes=where)


def no_resource(why: str = "") -> ApiError:
    """Nothing is served at this path; `why` is what the list of refusals says of it."""
    said = "the server could not find the requested resource"
    return ApiError("NotFound", f"{said}: {why}" if why else said)


def no_method() -> ApiError:
    """The path is served, but not with this method."""
    return ApiError(
        "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def nameless(asked: str) -> ApiError:
    """An object without the name that the URL has."""
    return bad(
        f"the name of the object ({asked} based on URL) was undeterminable: name must be provided",
        "metadata.name",
    )


def expired(message: str = "The resourceVersion for the provided list is too old.") -> ApiError:
    """The revision asked for is compacted."""
    return ApiError("Expired", message)


def too_large_version(asked: int, current: int) -> ApiError:
    """A revision that this server has not reached."""
    return ApiError(
        "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}",
        causes=[Cause(reason="ResourceVersionTooLarge", message="Too large resource version")],
        retry_after=1,
    )  # fmt: skip


# --- causes -----------------------------------------------------------------------------------


def required(field: str, detail: str = "") -> Cause:
    """A field is missing."""
    message = f"Required value: {detail}" if detail else "Required value"
    return Cause(reason="FieldValueRequired", message=message, field=field)


def wrong(field: str, value: Any, detail: str) -> Cause:
    """A field has a value that cannot be."""
    return Cause(
        reason="FieldValueInvalid", message=f"Invalid value: {shown(value)}: {detail}", field=field
    )


def not_allowed(field: str, detail: str) -> Cause:
    """A field may not be set, or not be changed."""
    return Cause(reason="FieldValueForbidden", message=f"Forbidden: {detail}", field=field)


def unsupported(field: str, value: Any, supported: Sequence[str]) -> Cause:
    """A field's value is none of the known ones."""
    words = ", ".join(f'"{s}"' for s in supported)
    return Cause(
        reason="FieldValueNotSupported",
        message=f"Unsupported value: {shown(value)}: supported values: {words}",
        field=field,
    )


def absent(field: str, value: Any, detail: str = "") -> Cause:
    """A field names something that is not there."""
    said = f"Not found: {shown(value)}"
    return Cause(
        reason="FieldValueNotFound", message=f"{said}: {detail}" if detail else said, field=field
    )


def duplicate(field: str, value: Any) -> Cause:
    """A list that must be unique is not."""
    return Cause(
        reason="FieldValueDuplicate", message=f"Duplicate value: {shown(value)}", field=field
    )


def too_long(field: str, limit: int) -> Cause:
    """A value has too many bytes."""
    return Cause(
        reason="FieldValueTooLong", message=f"Too long: may not be more than {limit} bytes",
        field=field,
    )  # fmt: skip


class Words(str):
    """A value whose text is already as Kubernetes prints it: of a type of its own."""

    __slots__ = ()


def shown(value: Any) -> str:
    """A value as Kubernetes prints it in a message: as JSON."""
    if isinstance(value, Words):
        return value
    return msgspec.json.encode(value, order="sorted").decode()
