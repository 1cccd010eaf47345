#!/bin/sh
# Says, in one line to copy, what this machine lacks to build gearfast.
# Usage: prerequisites.sh [python]
set -u
python=${1:-python3}
missing=

if ! command -v "$python" >/dev/null; then
    missing="python3 python3-venv python3-dev"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "gearfast needs Python 3.11 or newer, and $("$python" -V) is older. With another one: make run PYTHON3=python3.12" >&2
    exit 1
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    test -e "$headers/Python.h" || missing="$missing python3-dev"
fi
command -v "${CC:-cc}" >/dev/null || missing="$missing gcc libc6-dev"

if [ -n "$missing" ]; then
    echo "gearfast cannot be built yet. As root: apt-get install -y $(echo $missing)" >&2
    exit 1
fi
