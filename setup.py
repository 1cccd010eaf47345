"""The compiled rooms, and the three switches of their build.

GEARFAST_DEBUG=1 keeps symbols and turns optimisation off, GEARFAST_SANITIZE=1 builds with
AddressSanitizer and UndefinedBehaviorSanitizer, GEARFAST_COVERAGE=1 with line tracing.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOMS = [
    *("index", "heap", "pool", "handle", "packet", "rotation"),
    *("jobqueue", "numbers", "late", "roster", "party", "census", "peer", "unique", "journal", "endings"),
    *("life", "broker", "inprocess"),
    *("record", "ledger", "notes", "fence", "session", "request", "turn", "transport", "secure"),
]

debug, sanitize, coverage = (
    os.environ.get(f"GEARFAST_{switch}") == "1" for switch in ("DEBUG", "SANITIZE", "COVERAGE")
)
flags = ["-O1", "-g"] if debug or sanitize else ["-O2", "-fno-semantic-interposition"]
if sanitize:
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "auto_pickle": False,
    "embedsignature": False,
    "linetrace": coverage,
}

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"gearfast.{room}",
                [f"gearfast/{room}.pyx"],
                extra_compile_args=flags,
                extra_link_args=["-fsanitize=address,undefined"] if sanitize else [],
                define_macros=[("CYTHON_TRACE", "1")] if coverage else [],
            )
            for room in ROOMS
        ],
        compiler_directives=DIRECTIVES,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
