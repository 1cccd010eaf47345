#!/bin/sh
# Says, in one line to copy, what this machine lacks to build gearfast.
# Usage: prerequisites.sh [python]
set -u
python=${1:-python3}
missing=

if ! command -v "$python" >/dev/null; then
    if [ "$python" != python3 ]; then
        echo "there is no $python here. With another one: make run PYTHON3=python3" >&2
        exit 1
    fi
    missing="python3 python3-venv python3-dev"
    compiler=cc
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "gearfast needs Python 3.11 or newer, and $("$python" -V) is older. With another one: make run PYTHON3=python3.12" >&2
    exit 1
else
    # the packages of this very Python, which need not be the system's default one
    package=$("$python" -c 'import sys; print("python3.%d" % sys.version_info[1])')
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing $package-venv"
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    test -e "$headers/Python.h" || missing="$missing $package-dev"
    compiler=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')
fi
command -v "${CC:-${compiler%% *}}" >/dev/null || missing="$missing gcc libc6-dev"

if [ -n "$missing" ]; then
    if command -v apt-get >/dev/null; then
        echo "gearfast cannot be built yet. As root: apt-get install -y $(echo $missing)" >&2
    else
        echo "gearfast cannot be built yet. Missing (by Debian's names): $(echo $missing)" >&2
    fi
    exit 1
fi
