#!/bin/sh
# tools/lock.sh: writes the hashed requirements files (no host names in them). Needs uv.
set -eu
cd "$(dirname "$0")/.."
compile() {
    out=requirements/$1.txt
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-header --no-emit-index-url "$@" -o "$out"
}
compile core pyproject.toml
compile dev pyproject.toml --extra dev --extra examiners -c requirements/core.txt
compile demo requirements/demo.in
compile uv requirements/uv.in
