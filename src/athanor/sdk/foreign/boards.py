"""T9k's tensorboardSpec as our `tensorboard`: its folder is found among the job's mounts."""

from __future__ import annotations

from athanor.api.meta import JSON
from athanor.sdk.foreign import shape
from athanor.sdk.foreign.given import Given

PVC = "t9k://pvc/"


def board(given: Given, roles: list[JSON]) -> JSON | None:
    """The TensorBoard beside a job. None when the job has none."""
    found = given.take("spec.tensorboardSpec")
    if found is None:
        return None
    asked = given.inner(found, "spec.tensorboardSpec")
    made: JSON = {}
    if image := asked.take("image"):
        made["image"] = image
    for path, claim, below in _places(asked):
        place = _mounted(roles, claim, below)
        named = f"{claim}/{below}".rstrip("/")
        if not place:
            asked.note(path, f"{named}: not mounted by the first role, set tensorboard.logDir")
        elif "logDir" in made:
            asked.note(path, f"{named}: one folder is read, {made['logDir']}")
        else:
            made["logDir"] = place
    return made


def _places(asked: Given) -> list[tuple[str, str, str]]:
    """(field, claim, folder in it) of all that is read from claims."""
    found = []
    filesets = [str(one) for one in asked.take("trainingLogFilesets", [])]
    for fileset in filesets:
        if fileset.startswith(PVC):
            claim, _, below = fileset.removeprefix(PVC).partition("/")
            found.append(("trainingLogFilesets", claim, below.strip("/")))
        else:
            asked.note("trainingLogFilesets", f"{fileset}: only folders in claims are read")
    for part in asked.parts("logDir.pvc"):
        name, folders = str(part.take("name", "")), part.take("subPath") or [""]
        each = [folders] if isinstance(folders, str) else folders
        found += [("logDir.pvc", name, str(one).strip("/")) for one in each]
    return found


def _mounted(roles: list[JSON], claim: str, below: str) -> str:
    """Where the first role sees a folder of a claim; "" for nowhere."""
    spec = (roles[0]["template"].get("spec") or {}) if roles else {}
    names = [
        one.get("name") for one in _objects(spec.get("volumes"))
        if _object(one.get("persistentVolumeClaim")).get("claimName") == claim
    ]  # fmt: skip
    for mount in _objects(shape.container({"spec": spec}).get("volumeMounts")):
        inside = str(mount.get("subPath") or "").strip("/")
        if mount.get("name") not in names or not f"{below}/".startswith(inside and f"{inside}/"):
            continue
        rest = below[len(inside) :].strip("/")
        return "/".join(
            part for part in (str(mount.get("mountPath") or "").rstrip("/"), rest) if part
        )
    return ""


def _object(found: object) -> JSON:
    """An object; what is none is left to the server, which names it."""
    return found if isinstance(found, dict) else {}


def _objects(found: object) -> list[JSON]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
