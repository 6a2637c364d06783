"""CustomResourceDefinition: defaults, what creation sets, checks."""

from __future__ import annotations

from collections.abc import Mapping

from athanor.api.meta import JSON
from athanor.local.apiserver import crd_checks
from athanor.local.apiserver.kinds.base import Strategy


def default(obj: JSON) -> None:
    """Singular and list kind follow from the kind; no conversion unless one is named."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.get("names")
    if isinstance(names, dict) and isinstance(kind := names.get("kind"), str) and kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, dict):
            version.setdefault("served", False)
            version.setdefault("storage", False)


def create(obj: JSON) -> None:
    """A new definition: nothing accepted yet, its storage version stored."""
    versions = (obj.get("spec") or {}).get("versions")
    stored = [
        v["name"]
        for v in (versions if isinstance(versions, list) else ())
        if isinstance(v, dict) and v.get("storage") and "name" in v
    ]
    obj["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    }


STRATEGIES: Mapping[str, Strategy] = {
    "customresourcedefinitions.apiextensions.k8s.io": Strategy(
        default=default,
        create=create,
        check=crd_checks.check,
        check_update=crd_checks.check_update,
        generation=True,
        unconditional=False,
    )
}
