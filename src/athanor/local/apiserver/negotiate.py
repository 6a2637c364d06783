"""What a client wants to read: the Accept header, as Kubernetes negotiates it. Pure."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from athanor.wire.status import ApiError

_WORDS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList", "APIGroupDiscoveryList")


class Wish(Struct, frozen=True):
    """One acceptable form: `as_` is Table, PartialObjectMetadata(List) or empty for the object."""

    as_: str = ""
    yaml: bool = False
    version: str = ""


PLAIN = Wish()


@lru_cache(maxsize=512)
def accept(header: str) -> Wish:
    """The first form of the header that this server writes. Raises NotAcceptable."""
    if not header or header in ("application/json", "*/*"):
        return PLAIN
    asked = False
    for part in header.split(","):
        media, *parameters = (p.strip() for p in part.split(";"))
        given = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media not in ("application/json", "application/yaml", "*/*"):
            continue
        as_ = given.get("as", "")
        if as_ and (as_ not in _WORDS or not _known(as_, given)):
            asked = True
            continue
        return Wish(as_, media == "application/yaml", given.get("v", ""))
    if asked:
        only = "only the following media types are accepted: application/json, application/yaml"
        raise ApiError("NotAcceptable", only)
    raise ApiError(
        "NotAcceptable",
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
        "application/json;stream=watch",
    )


def _known(as_: str, given: dict[str, str]) -> bool:
    group, version = given.get("g", ""), given.get("v", "")
    if as_ == "APIGroupDiscoveryList":
        return (group, version) == ("apidiscovery.k8s.io", "v2")
    return group == "meta.k8s.io" and version in ("v1", "v1beta1")
