#!/bin/sh
# tools/setup.sh core|dev: makes .venv with the locked, hashed requirements; does nothing when it is up to date.
# Uses uv when it is installed, else venv and pip. PYTHON picks the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."
level=${1:-core}
locks="requirements/$level.txt pyproject.toml"
stamp=.venv/.installed-$level
sum=$(cat $locks | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then exit 0; fi

if [ ! -x .venv/bin/python ]; then
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "${python:-}" ]; then
        echo "athanor needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3.12" >&2
        exit 1
    fi
fi

echo "setting up .venv ($level)" >&2
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$(command -v "$python")" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$level.txt"
    uv pip install --quiet --python .venv/bin/python --no-deps -e .
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    [ -x .venv/bin/pip ] || .venv/bin/python -m ensurepip >/dev/null
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$level.txt"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
echo "$sum" > "$stamp"
# the development set holds the core: no need to install that again
if [ "$level" = dev ]; then cat requirements/core.txt pyproject.toml | cksum > .venv/.installed-core; fi
