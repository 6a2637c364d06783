"""What an installation was wished to be, remembered in its namespace: installing again keeps it.

A ConfigMap with an entry a wish. What a command says wins, what it does not say is as it was
before; at first it is the default. The gateway's claim is asked itself: it may have been enlarged,
or have outlived an installation that remembered nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from athanor.api.meta import JSON
from athanor.assembly.install import gateway
from athanor.assembly.install.objects import Refused, find
from athanor.assembly.install.parts import Wishes, head
from athanor.client.protocol import Client
from athanor.kit.quantity import QuantityError, parse

NAME = "athanor-install"
_OTHERWISE = ("namespace", "version")
"""Wishes that are not remembered: where it is, and who installs."""


def manifest(wishes: Wishes) -> JSON:
    """The ConfigMap."""
    said = {name: _text(getattr(wishes, name)) for name in wishes.__struct_fields__}
    data = {name: text for name, text in said.items() if name not in _OTHERWISE}
    return {**_head(wishes.namespace), "data": data}


def is_memory(manifest: JSON) -> bool:
    """Whether it is that ConfigMap."""
    return bool(manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == NAME)


async def remembered(client: Client, namespace: str) -> dict[str, str]:
    """The wishes of an installation that is or was there; none without one."""
    found = await find(client, _head(namespace))
    kept = dict((found or {}).get("data") or {})
    claim = await find(client, head("v1", "PersistentVolumeClaim", gateway.NAME, namespace))
    return {**kept, **({"storage": _size(claim)} if claim else {})}


def resolve(said: Mapping[str, object], kept: Mapping[str, str]) -> Wishes:
    """What is said over what is remembered. Raises Refused when that does not fit together."""
    try:
        wishes = msgspec.convert({**kept, **said}, Wishes, strict=False)
        fits = parse(wishes.memory).nano <= parse(wishes.memory_limit).nano
    except (msgspec.ValidationError, QuantityError) as wrong:
        raise Refused(f"configmap/{NAME} is not what was written there: {wrong}") from wrong
    if not fits:
        raise Refused(f"--memory {wishes.memory} is above --memory-limit {wishes.memory_limit}")
    return wishes


async def check_claim(client: Client, wishes: Wishes) -> None:
    """Refuses a claim that is smaller than the one that is there."""
    claim = await find(client, head("v1", "PersistentVolumeClaim", gateway.NAME, wishes.namespace))
    if claim is not None and parse(wishes.storage).nano < parse(_size(claim)).nano:
        raise Refused(
            f"--storage {wishes.storage} is less than the {_size(claim)} of the gateway's claim, "
            "and claims do not shrink"
        )


def _head(namespace: str) -> JSON:
    return head("v1", "ConfigMap", NAME, namespace)


def _size(claim: JSON) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
