"""How a job's requirements get to its ranks: a container that installs them before the others.

On a laptop nodes lay requirements over an environment of the machine themselves, and keep them;
kubelets know no such thing, and wheels that came with the code are known to the pod alone. There
pip does it, in the job's own image, whose interpreter they are for, into a folder that all
containers have on PYTHONPATH. It sees what the job's first container sees: settings of pip,
proxies, secrets.
"""

from __future__ import annotations

from collections.abc import Sequence

from athanor.api.meta import JSON
from athanor.features.training.code import Fetching

PACKAGES = "/athanor/packages"
"""Where ranks find them."""
_VOLUME = "athanor-packages"
_LIKE = ("image", "imagePullPolicy", "workingDir", "envFrom", "securityContext")
_INSTALL = """\
fail() { echo "requirements: $*" >&2; exit 1; }
umask 022
export TMPDIR="$ATHANOR_PACKAGES/.made" PIP_RETRIES="${PIP_RETRIES:-2}"
export HOME="$TMPDIR"
mkdir -p "$TMPDIR" || fail "$ATHANOR_PACKAGES cannot be written"
python=$(command -v python || command -v python3) || fail "there is no Python in this image"
set -- "$ATHANOR_WHEELS"/pip-*.whl
if "$python" -m pip --version >/dev/null 2>&1; then
  set -- "$python" -m pip install --disable-pip-version-check --no-cache-dir --quiet
elif [ -f "$1" ]; then
  set -- "$python" "$1/pip" install --disable-pip-version-check --no-cache-dir --quiet
elif command -v uv >/dev/null; then
  set -- uv pip install --no-cache --quiet --python "$python"
else
  fail "there is no pip in this image: take one that has it, or send pip's own wheel along"
fi
if [ -n "$ATHANOR_WHEELS" ]; then
  [ -d "$ATHANOR_WHEELS" ] || fail "there is no folder of wheels $ATHANOR_WHEELS"
  set -- "$@" --no-index --find-links "$ATHANOR_WHEELS"
  way="wheels come from $ATHANOR_WHEELS alone: are all there, and for this Python?"
else
  way="where no index is reached, send wheels along: athanor submit --code DIR --wheels DIR"
fi
printf '%s\\n' "$ATHANOR_REQUIREMENTS" > "$TMPDIR/wanted.txt"
set -- "$@" --only-binary :all: --target "$ATHANOR_PACKAGES" -r "$TMPDIR/wanted.txt"
"$@" > "$TMPDIR/said" 2>&1 || fail "$(tail -n 4 "$TMPDIR/said" | tr '\\n' ' ')($way)"
rm -rf "$TMPDIR"
"""


def installing(requirements: Sequence[str], wheels: str, first: JSON, own: JSON) -> Fetching:
    """What a pod needs for it. `wheels` is a folder in the pod, "" for an index.

    `first` is the job's first container as it will be, `own` as it was given.
    """
    mount: JSON = {"name": _VOLUME, "mountPath": PACKAGES}
    told = {
        "ATHANOR_PACKAGES": PACKAGES, "ATHANOR_WHEELS": wheels,
        "ATHANOR_REQUIREMENTS": "\n".join(requirements),
    }  # fmt: skip
    container: JSON = {
        "name": _VOLUME, "command": ["sh", "-c", _INSTALL],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [
            *(own.get("env") or []),
            *({"name": name, "value": value} for name, value in told.items()),
        ],
        "volumeMounts": [*(first.get("volumeMounts") or []), mount],
        **{key: first[key] for key in _LIKE if first.get(key)},
    }  # fmt: skip
    if amounts := _amounts(first.get("resources") or {}):
        container["resources"] = amounts
    return Fetching(volumes=[{"name": _VOLUME, "emptyDir": {}}], container=container, mount=mount)


def importing(container: JSON) -> JSON:
    """The container with the packages before what else it says of PYTHONPATH."""
    path = {"name": "PYTHONPATH", "value": f"{PACKAGES}:$(PYTHONPATH)"}
    return {**container, "env": [*(container.get("env") or []), path]}


def _amounts(resources: JSON) -> JSON:
    """Processors and memory, as the job's own: it has ended when they are needed."""
    return {
        kind: {name: amounts[name] for name in ("cpu", "memory") if name in amounts}
        for kind, amounts in resources.items()
        if kind in ("requests", "limits")
    }
