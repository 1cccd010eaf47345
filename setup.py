"""The compiled rooms, the five switches of their build, the program, and README as a package index shows it.

GEARFAST_DEBUG=1 keeps symbols and turns optimisation off, GEARFAST_SANITIZE=1 builds with
AddressSanitizer and UndefinedBehaviorSanitizer, GEARFAST_FUZZ=1 with these and what libFuzzer
follows (clang's, all of them), GEARFAST_RACES=1 with ThreadSanitizer, GEARFAST_COVERAGE=1
with line tracing.
"""

import os
import re
import sys
import sysconfig
import tomllib
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

from distutils.ccompiler import new_compiler  # isort: skip (setuptools brings it)
from distutils.command.build_scripts import build_scripts  # isort: skip
from distutils.errors import CCompilerError  # isort: skip
from distutils.sysconfig import customize_compiler  # isort: skip

sys.path.insert(0, "packaging")
import docstrings  # isort: skip

ROOMS = sorted(Path("gearfast").rglob("*.pyx"))

debug, sanitize, fuzz, races, coverage = (
    os.environ.get(f"GEARFAST_{switch}") == "1" for switch in ("DEBUG", "SANITIZE", "FUZZ", "RACES", "COVERAGE")
)
sanitize = sanitize or fuzz
slow = debug or sanitize or races
flags = ["-O0"] if coverage else ["-O1", "-g"] if slow else ["-O2", "-fno-semantic-interposition"]
if sanitize:
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
if fuzz:
    # clang, unlike gcc, holds nothing and no bytes behind it to be undefined
    flags += ["-O2", "-fsanitize=fuzzer-no-link", "-fno-sanitize=pointer-overflow"]
if races:
    flags += ["-fsanitize=thread", "-fno-omit-frame-pointer"]

docstrings.take_from_stubs(ROOMS)
directives = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["gearfast"]["directives"]

# coverage.py hears of Cython's lines in the older of CPython's two ways only
TRACING = {"CYTHON_TRACE": "1", "CYTHON_TRACE_NOGIL": "1", "CYTHON_USE_SYS_MONITORING": "0"}

extensions = cythonize(
    [
        Extension(
            ".".join(room.with_suffix("").parts),
            [str(room)],
            extra_compile_args=flags,
            extra_link_args=["-fsanitize=address,undefined"] * sanitize
            + ["-shared-libasan"] * fuzz
            + ["-fsanitize=thread"] * races,
            define_macros=list(TRACING.items()) if coverage else [],
        )
        for room in ROOMS
    ],
    compiler_directives={**directives, "linetrace": coverage},
)
if coverage:
    # A tracer is shown what a function returns, as a Python object; of a struct with bytes that end nowhere none can be
    # made, and to try crashes. Nobody who measures lines looks at it.
    for source in (Path(extension.sources[0]) for extension in extensions):
        shown = re.compile(r"__Pyx_TraceReturnCValue\(__pyx_r, \w+,")
        source.write_text(shown.sub("__Pyx_TraceReturnValue(Py_None,", source.read_text()))

HOME = "https://github.com/gearfast/gearfast"


def readme() -> str:
    """README with whole addresses: a package index shows it, and has neither the files nor the pictures."""
    text = Path("README.md").read_text(encoding="utf-8")
    text = re.sub(r"(?<=\]\()(?!\w+:|#)", f"{HOME}/blob/main/", text)
    return re.sub(r'(?<=src=")(?!\w+:)|(?<=srcset=")(?!\w+:)', f"{HOME}/raw/main/", text)


LAUNCHER, SCRIPT = "packaging/launcher.c", "packaging/script.py"


class Program(build_scripts):
    """The program `gearfast` on Linux: the launcher and the script beside it, or the script alone if C cannot be built.

    It is no entry point: of those installers make scripts, and the system then sees an interpreter.
    """

    def run(self) -> None:
        """Build into a folder of which wheels take everything."""
        folder = Path(self.build_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        script = folder / ("gearfast-python" if self.compile() else "gearfast")
        script.write_text(f"#!{self.executable}\n{Path(SCRIPT).read_text(encoding='utf-8')}", encoding="utf-8")
        script.chmod(0o755)

    def compile(self) -> bool:
        """Make the launcher; return whether that can be done."""
        compiler = new_compiler()
        customize_compiler(compiler)
        names = {
            "LIBRARY": f"libpython{sysconfig.get_config_var('LDVERSION')}.so.1.0",
            "MULTIARCH": sysconfig.get_config_var("MULTIARCH") or "",
        }
        macros: list[tuple[str] | tuple[str, str | None]] = [(name, f'"{value}"') for name, value in names.items()]
        temporary = self.get_finalized_command("build").build_temp
        try:
            objects = compiler.compile([LAUNCHER], temporary, macros, extra_postargs=["-O2"])
            compiler.link_executable(objects, "gearfast", self.build_dir, libraries=["dl"])
        except CCompilerError:
            return False
        return True


if sys.platform == "linux":
    program = {"scripts": [LAUNCHER, SCRIPT], "cmdclass": {"build_scripts": Program}}
else:
    program = {"entry_points": {"console_scripts": ["gearfast = gearfast.cli.program:main"]}}
setup(
    **program,
    data_files=[
        ("share/man/man1", ["packaging/gearfast.1"]),
        ("share/bash-completion/completions", ["packaging/bash/gearfast"]),
        ("share/zsh/site-functions", ["packaging/zsh/_gearfast"]),
    ],
    long_description=readme(),
    long_description_content_type="text/markdown",
    ext_modules=extensions,
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
