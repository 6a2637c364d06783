"""What may be wrong with a pod's volumes (core/v1 Volume)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import parse
from athanor.local.apiserver import names
from athanor.local.apiserver.errors import duplicate, not_allowed, required, unsupported, wrong
from athanor.local.apiserver.kinds.pod_environment import IN_FILES, check_amount, check_field
from athanor.wire.status import Cause

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HIGHEST_MODE = 0o777
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32
_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
    "Socket",
)  # fmt: skip
_ORDER = ("emptyDir", "hostPath")
"""Of two sources of one volume the one that comes later here is refused; others follow."""


TOKEN_SOURCES: JSON = {
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {
            "downwardAPI": {
                "items": [
                    {
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }
                ]
            }
        },
    ],
    "defaultMode": 0o644,
}
"""What every pod's token volume holds: one object for all, known to be right."""


def check_volumes(volumes: list[JSON], path: str, causes: list[Cause]) -> Mapping[str, JSON]:
    """What is wrong with volumes; answers those that are right, by name."""
    found: dict[str, JSON] = {}
    for i, volume in enumerate(volumes):
        name, before = volume.get("name") or "", len(causes)
        if volume.get("projected") is TOKEN_SOURCES:
            found[name] = volume
            continue
        _source(volume, f"{path}[{i}]", causes)
        if not name:
            causes.append(required(f"{path}[{i}].name"))
        else:
            causes += [wrong(f"{path}[{i}].name", name, p) for p in names.label(name)]
        if name in found:
            causes.append(duplicate(f"{path}[{i}].name", name))
        if len(causes) == before:
            found[name] = volume
    return found


def _source(volume: JSON, path: str, causes: list[Cause]) -> None:
    sources = [k for k, v in volume.items() if k != "name" and v is not None]
    if len(sources) > 1:
        sources.sort(key=lambda s: _ORDER.index(s) if s in _ORDER else len(_ORDER))
    for first in sources[:1]:
        if (check := _CHECKS.get(first)) is not None:
            check(volume[first], f"{path}.{first}", causes)
    detail = "may not specify more than 1 volume type"
    causes += [not_allowed(f"{path}.{source}", detail) for source in sources[1:]]


def descending(target: str, path: str, causes: list[Cause]) -> None:
    """A path within something: relative, and never up."""
    if target.startswith("/"):
        causes.append(wrong(path, target, "must be a relative path"))
    no_backsteps(target, path, causes)


def no_backsteps(target: str, path: str, causes: list[Cause]) -> None:
    """A path without `..`."""
    if ".." in target and ".." in target.split("/"):
        causes.append(wrong(path, target, "must not contain '..'"))


def _local(target: str, path: str, causes: list[Cause]) -> None:
    descending(target, path, causes)
    if target.startswith("..") and target != ".." and not target.startswith("../"):
        causes.append(wrong(path, target, "must not start with '..'"))


def _mode(source: JSON, field: str, path: str, causes: list[Cause]) -> None:
    mode = source.get(field)
    if mode is not None and not 0 <= mode <= _HIGHEST_MODE:
        causes.append(wrong(f"{path}.{field}", mode, _MODE))


def _items(source: JSON, path: str, causes: list[Cause]) -> None:
    for i, item in enumerate(source.get("items") or ()):
        at, target = f"{path}.items[{i}]", item.get("path") or ""
        if not item.get("key"):
            causes.append(required(f"{at}.key"))
        if not target:
            causes.append(required(f"{at}.path"))
        _local(target, f"{at}.path", causes)
        _mode(item, "mode", at, causes)


def _empty_dir(source: JSON, path: str, causes: list[Cause]) -> None:
    if (limit := source.get("sizeLimit")) is not None and parse(limit).nano < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        causes.append(not_allowed(f"{path}.sizeLimit", detail))


def _host_path(source: JSON, path: str, causes: list[Cause]) -> None:
    if not (target := source.get("path")):
        causes.append(required(f"{path}.path"))
        return
    no_backsteps(target, f"{path}.path", causes)
    if (kind := source.get("type") or "") not in _PATH_TYPES:
        causes.append(unsupported(f"{path}.type", kind, _PATH_TYPES))


def _secret(source: JSON, path: str, causes: list[Cause]) -> None:
    if not source.get("secretName"):
        causes.append(required(f"{path}.secretName"))
    _mode(source, "defaultMode", path, causes)
    _items(source, path, causes)


def _config_map(source: JSON, path: str, causes: list[Cause]) -> None:
    if not source.get("name"):
        causes.append(required(f"{path}.name"))
    _mode(source, "defaultMode", path, causes)
    _items(source, path, causes)


def _claim(source: JSON, path: str, causes: list[Cause]) -> None:
    if not source.get("claimName"):
        causes.append(required(f"{path}.claimName"))


def _nfs(source: JSON, path: str, causes: list[Cause]) -> None:
    causes += [required(f"{path}.{name}") for name in ("server", "path") if not source.get(name)]
    if not (source.get("path") or "").startswith("/"):
        causes.append(wrong(f"{path}.path", source.get("path") or "", "must be an absolute path"))


def _downward(source: JSON, path: str, causes: list[Cause]) -> None:
    _mode(source, "defaultMode", path, causes)
    for item in source.get("items") or ():
        _file(item, path, causes)


def _file(item: JSON, path: str, causes: list[Cause]) -> None:
    target, field, amount = item.get("path") or "", item.get("fieldRef"), "resourceFieldRef"
    if not target:
        causes.append(required(f"{path}.path"))
    _local(target, f"{path}.path", causes)
    if field is not None:
        check_field(field, f"{path}.fieldRef", IN_FILES, causes)
        if item.get(amount) is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(wrong(path, "resource", detail))
    elif item.get(amount) is not None:
        check_amount(item[amount], f"{path}.{amount}", causes, volume=True)
    else:
        causes.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    _mode(item, "mode", path, causes)


def _projected(source: JSON, path: str, causes: list[Cause]) -> None:
    _mode(source, "defaultMode", path, causes)
    taken = set[str]()
    for i, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{i}]"
        for name in ("secret", "configMap"):
            if (one := part.get(name)) is not None:
                if not one.get("name"):
                    causes.append(required(f"{at}.{name}.name"))
                _items(one, f"{at}.{name}", causes)
                _once(one, one.get("name") or "", taken, path, causes)
        if (one := part.get("downwardAPI")) is not None:
            for item in one.get("items") or ():
                _file(item, f"{at}.downwardAPI", causes)
            _once(one, "", taken, path, causes)
        if (token := part.get("serviceAccountToken")) is not None:
            _token(token, f"{at}.serviceAccountToken", path, causes)
        given = [name for name, value in part.items() if value is not None]
        if len(given) > 1:
            causes.append(not_allowed(at, "may not specify more than 1 volume type per source"))


def _once(part: JSON, name: str, taken: set[str], path: str, causes: list[Cause]) -> None:
    for item in part.get("items") or ():
        target = item.get("path")
        if target and target in taken:
            causes.append(wrong(path, name or target, "conflicting duplicate paths"))
        taken.add(target)


def _token(token: JSON, at: str, path: str, causes: list[Cause]) -> None:
    seconds = token.get("expirationSeconds", 0)
    if seconds < _SHORTEST_TOKEN:
        detail = "may not specify a duration less than 10 minutes"
        causes.append(wrong(f"{at}.expirationSeconds", seconds, detail))
    if seconds > _LONGEST_TOKEN:
        detail = "may not specify a duration larger than 2^32 seconds"
        causes.append(wrong(f"{at}.expirationSeconds", seconds, detail))
    if not token.get("path"):
        causes.append(required(f"{path}.path"))
    else:
        _local(token["path"], f"{path}.path", causes)


_CHECKS: Mapping[str, Callable[[JSON, str, list[Cause]], None]] = {
    "emptyDir": _empty_dir, "hostPath": _host_path, "secret": _secret, "configMap": _config_map,
    "persistentVolumeClaim": _claim, "nfs": _nfs, "downwardAPI": _downward,
    "projected": _projected,
}  # fmt: skip
"""Sources that are looked into; of others only the types are checked."""
