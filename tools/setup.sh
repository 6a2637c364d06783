#!/bin/sh
# tools/setup.sh core|dev: makes .venv with the locked, hashed requirements; does nothing when it is up to date.
# Uses uv when it is there, else lets pip install uv first, else pip alone. PYTHON picks the interpreter (3.11 or newer).
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
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip="python -m pip --disable-pip-version-check"
if command -v uv >/dev/null 2>&1; then
    uv=uv
else # installing uv with pip first is faster than installing everything with pip
    .venv/bin/$pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    [ -x .venv/bin/uv ] || .venv/bin/$pip install --quiet --require-hashes -r requirements/uv.txt || true
    uv=.venv/bin/uv
fi
if command -v "$uv" >/dev/null 2>&1; then
    "$uv" pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$level.txt"
    "$uv" pip install --quiet --python .venv/bin/python --no-deps -e .
else
    .venv/bin/$pip install --quiet --require-hashes -r "requirements/$level.txt"
    .venv/bin/$pip install --quiet --no-deps -e .
fi
echo "$sum" > "$stamp"
# the development set holds the core: no need to install that again
if [ "$level" = dev ]; then cat requirements/core.txt pyproject.toml | cksum > .venv/.installed-core; fi
