"""The compiled rooms, and the three switches of their build.

GEARFAST_DEBUG=1 keeps symbols and turns optimisation off, GEARFAST_SANITIZE=1 builds with
AddressSanitizer and UndefinedBehaviorSanitizer, GEARFAST_COVERAGE=1 with line tracing.
"""

import os
import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOMS = [
    *("index", "heap", "pool", "hold", "handle", "packet", "rotation"),
    *("jobqueue", "numbers", "late", "roster", "party", "census", "peer", "unique", "line", "journal", "endings"),
    *("life", "broker", "inprocess"),
    *("record", "ledger", "notes", "fence", "outlet", "session", "request", "visitor"),
    *("memory", "turn", "transport", "secure"),
]

debug, sanitize, coverage = (
    os.environ.get(f"GEARFAST_{switch}") == "1" for switch in ("DEBUG", "SANITIZE", "COVERAGE")
)
flags = ["-O0"] if coverage else ["-O1", "-g"] if debug or sanitize else ["-O2", "-fno-semantic-interposition"]
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

# coverage.py hears of Cython's lines in the older of CPython's two ways only
TRACING = {"CYTHON_TRACE": "1", "CYTHON_TRACE_NOGIL": "1", "CYTHON_USE_SYS_MONITORING": "0"}

extensions = cythonize(
    [
        Extension(
            f"gearfast.{room}",
            [f"gearfast/{room}.pyx"],
            extra_compile_args=flags,
            extra_link_args=["-fsanitize=address,undefined"] if sanitize else [],
            define_macros=list(TRACING.items()) if coverage else [],
        )
        for room in ROOMS
    ],
    compiler_directives=DIRECTIVES,
)
if coverage:
    # A tracer is shown what a function returns, as a Python object; of a struct with bytes that end nowhere none can be
    # made, and to try crashes. Nobody who measures lines looks at it.
    for source in (Path(extension.sources[0]) for extension in extensions):
        shown = re.compile(r"__Pyx_TraceReturnCValue\(__pyx_r, \w+,")
        source.write_text(shown.sub("__Pyx_TraceReturnValue(Py_None,", source.read_text()))

setup(ext_modules=extensions, options={"build_ext": {"parallel": os.cpu_count() or 1}})
