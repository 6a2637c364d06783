"""ConfigMap, Secret, ServiceAccount."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from athanor.api.meta import JSON
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import bad, not_allowed, required, too_long, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.wire.status import Cause

DATA_LIMIT = 1024 * 1024
"""Most bytes of data in a ConfigMap or Secret."""
_FIXED = "field is immutable when `immutable` is set"


def _keys(obj: JSON, fields: Sequence[str]) -> list[Cause]:
    causes, size = list[Cause](), 0
    binary = obj.get("binaryData") or {}
    for field in fields:
        for key, value in (obj.get(field) or {}).items():
            path = f"{field}[{key}]"
            causes += [wrong(path, key, problem) for problem in names.config_key(key)]
            if field == "data" and key in binary:
                causes.append(wrong(path, key, "duplicate of key present in binaryData"))
            size += len(value)
    if size > DATA_LIMIT:
        causes.append(too_long("data", DATA_LIMIT))
    return causes


def _immutable(new: JSON, old: JSON, fields: Sequence[str]) -> list[Cause]:
    if not old.get("immutable"):
        return []
    causes = []
    if not new.get("immutable"):
        causes.append(not_allowed("immutable", _FIXED))
    causes += [
        not_allowed(field, _FIXED)
        for field in fields
        if (new.get(field) or {}) != (old.get(field) or {})
    ]
    return causes


def _check_config(obj: JSON) -> list[Cause]:
    return _keys(obj, ("data", "binaryData"))


def _default_secret(obj: JSON) -> None:
    if text := obj.pop("stringData", None):
        data = obj.setdefault("data", {})
        for key, value in text.items():
            data[key] = base64.b64encode(value.encode()).decode()
    if not obj.get("type"):
        obj["type"] = "Opaque"
    for value in (obj.get("data") or {}).values():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError) as illegal:
            raise bad(
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data: '
                f"{illegal}"
            ) from None


_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _check_secret(obj: JSON) -> list[Cause]:
    causes = _keys(obj, ("data",))
    for key in _REQUIRED.get(obj.get("type", ""), ()):
        if key not in (obj.get("data") or {}):
            causes.append(required(f"data[{key}]"))
    return causes


def _update_secret(new: JSON, old: JSON) -> list[Cause]:
    causes = []
    if new.get("type") != old.get("type"):
        causes.append(wrong("type", new.get("type"), "field is immutable"))
    return causes + _immutable(new, old, ("data",))


STRATEGIES: Mapping[str, Strategy] = {
    "configmaps": Strategy(
        check=_check_config,
        check_update=lambda new, old: _immutable(new, old, ("data", "binaryData")),
        changes_first=True,
    ),
    "secrets": Strategy(
        default=_default_secret,
        check=_check_secret,
        check_update=_update_secret,
        changes_first=True,
    ),
    "serviceaccounts": Strategy(answers_object=True),
}
