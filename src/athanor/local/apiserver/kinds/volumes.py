"""PersistentVolumeClaim, PersistentVolume, StorageClass."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.kit.quantity import parse
from athanor.local.apiserver.errors import not_allowed, required, unsupported, wrong
from athanor.local.apiserver.kinds.base import Strategy
from athanor.local.apiserver.kinds.pods import canonical_amounts
from athanor.wire.status import Cause

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
_VOLUME_MODES = ("Block", "Filesystem")
_ALONE = "ReadWriteOncePod"
_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", _ALONE)
_NO_SOURCE = frozenset(
    ("capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName",
     "mountOptions", "volumeMode", "nodeAffinity", "volumeAttributesClassName")
)  # fmt: skip


def _protect(obj: JSON, finalizer: str) -> None:
    found = obj["metadata"].get("finalizers") or []
    if finalizer not in found:
        obj["metadata"]["finalizers"] = [*found, finalizer]


def _default_claim(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    requests = (spec.get("resources") or {}).get("requests")
    if requests:
        canonical_amounts(requests)


def _new_claim(obj: JSON) -> None:
    _protect(obj, CLAIM_PROTECTION)
    obj["status"] = {"phase": "Pending"}


def _check_claim(obj: JSON) -> list[Cause]:
    spec, causes = obj["spec"], list[Cause]()
    if not spec.get("accessModes"):
        detail = "at least 1 access mode is required"
        causes.append(required("spec.accessModes", detail))
    causes += _modes(spec)
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        causes.append(required("spec.resources[storage]"))
    else:
        causes += _positive(requests["storage"], "spec.resources[storage]")
    if (mode := spec.get("volumeMode")) not in _VOLUME_MODES:
        causes.append(unsupported("spec.volumeMode", mode, _VOLUME_MODES))
    return causes


def _modes(spec: JSON) -> list[Cause]:
    found = spec.get("accessModes") or ()
    causes = [unsupported("spec.accessModes", mode, _MODES) for mode in found if mode not in _MODES]
    if _ALONE in found and len(found) > 1:
        detail = f"may not use {_ALONE} with other access modes"
        causes.append(not_allowed("spec.accessModes", detail))
    return causes


def _positive(amount: str | int, path: str) -> list[Cause]:
    if parse(amount).nano > 0:
        return []
    return [wrong(path, amount, "must be greater than zero")]


def _update_claim(new: JSON, old: JSON) -> list[Cause]:
    """Only growth of a bound claim; a class may be given once; a volume may be set once."""
    before, after = dict(old.get("spec") or {}), dict(new["spec"])
    if not before.get("volumeName"):
        before["volumeName"] = after.get("volumeName")
    if "storageClassName" not in before:
        before["storageClassName"] = after.get("storageClassName")
    status, causes = old.get("status") or {}, list[Cause]()
    if status.get("phase") == "Bound":
        # grown, or back towards what there is: what a failed expansion is mended with
        before["resources"] = after.get("resources")
    kept, wanted = (_meant(one) for one in (before, after))
    if kept != wanted:
        detail = "spec is immutable after creation except resources.requests and "
        causes.append(not_allowed("spec", f"{detail}volumeAttributesClassName for bound claims"))
    has = parse((status.get("capacity") or {}).get("storage", "0")).nano
    if _storage(after) < _storage(old.get("spec") or {}) and _storage(after) <= has:
        detail = "field can not be less than status.capacity"
        causes.append(not_allowed("spec.resources.requests.storage", detail))
    return [*causes, *_other_mode(before, after)]


def _other_mode(before: JSON, after: JSON) -> list[Cause]:
    if before.get("volumeMode") == after.get("volumeMode"):
        return []
    return [wrong("volumeMode", after.get("volumeMode"), "field is immutable")]


def _meant(spec: JSON) -> JSON:
    """The spec with amounts as numbers, for `1M` is no other than `1000000`."""
    found = {k: v for k, v in spec.items() if v is not None}
    if resources := found.get("resources"):
        found["resources"] = {
            group: {name: parse(amount).nano for name, amount in (amounts or {}).items()}
            for group, amounts in resources.items()
        }
    return found


def _storage(spec: JSON) -> int:
    text = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")
    return parse(text).nano


def _default_volume(obj: JSON) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    if spec.get("hostPath") is not None:
        spec["hostPath"].setdefault("type", "")
    if spec.get("capacity"):
        canonical_amounts(spec["capacity"])


def _new_volume(obj: JSON) -> None:
    _protect(obj, VOLUME_PROTECTION)
    obj["status"] = {"phase": "Pending"}


def _status_claim(new: JSON, _: JSON) -> None:
    if capacity := (new.get("status") or {}).get("capacity"):
        canonical_amounts(capacity)


def _check_volume(obj: JSON) -> list[Cause]:
    spec, causes = obj["spec"], list[Cause]()
    if not spec.get("accessModes"):
        causes.append(required("spec.accessModes"))
    causes += _modes(spec)
    capacity = spec.get("capacity")
    if not capacity:
        causes.append(required("spec.capacity"))
    if "storage" not in (capacity or {}) or len(capacity) > 1:
        causes.append(unsupported("spec.capacity", capacity, ["storage"]))
    if "storage" in (capacity or {}):
        causes += _positive(spec["capacity"]["storage"], "spec.capacity[storage]")
    sources = [k for k, v in spec.items() if k not in _NO_SOURCE and v is not None]
    if not sources:
        causes.append(required("spec", "must specify a volume type"))
    for name in sorted(sources, key=lambda name: name != "hostPath")[1:]:
        causes.append(not_allowed(f"spec.{name}", "may not specify more than 1 volume type"))
    return causes


def _update_volume(new: JSON, old: JSON) -> list[Cause]:
    before, after = old.get("spec") or {}, new["spec"]
    causes = list[Cause]()
    if any(before.get(name) != after.get(name) for name in {*before, *after} - _NO_SOURCE):
        detail = "spec.persistentvolumesource is immutable after creation"
        causes.append(not_allowed("spec.persistentvolumesource", detail))
    return [*causes, *_other_mode(before, after)]


def _default_class(obj: JSON) -> None:
    if not obj.get("reclaimPolicy"):
        obj["reclaimPolicy"] = "Delete"
    if not obj.get("volumeBindingMode"):
        obj["volumeBindingMode"] = "Immediate"


def _check_class(obj: JSON) -> list[Cause]:
    return [] if obj.get("provisioner") else [required("provisioner")]


def _update_class(new: JSON, old: JSON) -> list[Cause]:
    causes = []
    if (new.get("parameters") or {}) != (old.get("parameters") or {}):
        causes.append(wrong("parameters", new.get("parameters"), "field is immutable"))
    fixed = ("provisioner", "reclaimPolicy", "volumeBindingMode")
    return causes + [
        wrong(name, new.get(name), "field is immutable")
        for name in fixed
        if new.get(name) != old.get(name)
    ]


STRATEGIES: Mapping[str, Strategy] = {
    "persistentvolumeclaims": Strategy(
        default=_default_claim, create=_new_claim, status=_status_claim, check=_check_claim,
        check_update=_update_claim, answers_object=True,
    ),
    "persistentvolumes": Strategy(
        default=_default_volume, create=_new_volume, check=_check_volume,
        check_update=_update_volume, answers_object=True,
    ),
    "storageclasses.storage.k8s.io": Strategy(
        default=_default_class, check=_check_class, check_update=_update_class,
        answers_object=True,
    ),
}  # fmt: skip
