"""Compiles what the benchmarks need: the load generator, the rooms' micro-benchmarks, and the bare server in C.

`build()` does only what is out of date and says nothing; `python -m benchmarks.build` does the same. The compiled
modules land beside their sources, everything else in build/bench/. None of it is part of the package.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "bench"
LIMIT = PLACE / "limit"
LIMIT_SOURCE = ROOT / "benchmarks" / "subjects" / "limit.c"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

SETTINGS = ROOT / "pyproject.toml"
"""has the directives for Cython, those of the package too"""


class BuildFailed(Exception):  # noqa: N818
    """A compiler refused; the message is what it said."""


def sources() -> list[Path]:
    """Return the modules to compile."""
    return sorted((ROOT / "benchmarks").rglob("*.pyx"))


def declarations() -> list[Path]:
    """Return what any module may have been compiled against: a change of one is a change of all."""
    here = (path for path in (ROOT / "benchmarks").rglob("*") if path.suffix in (".pxd", ".h"))
    return [*here, *(ROOT / "gearfast").rglob("*.pxd"), SETTINGS, Path(__file__)]


def compiled(source: Path) -> Path:
    """Return where a module's result lies."""
    return source.with_name(source.stem + SUFFIX)


def module(source: Path) -> str:
    """Return the name a module is imported by."""
    return ".".join(source.relative_to(ROOT).with_suffix("").parts)


def stale(result: Path, made_from: list[Path]) -> bool:
    """Tell whether something is newer than what was made from it."""
    return not result.exists() or max(path.stat().st_mtime for path in made_from) > result.stat().st_mtime


def stale_modules() -> list[Path]:
    """Return the modules that must be compiled again."""
    shared = declarations()
    return [source for source in sources() if stale(compiled(source), [source, *shared])]


def limit_is_stale() -> bool:
    """Tell whether the bare server must be compiled (it may not be there at all)."""
    return LIMIT_SOURCE.exists() and stale(LIMIT, [LIMIT_SOURCE])


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other build runs, and keep others waiting."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: list[str]) -> None:
    """Run a compiler; its words are only of interest when it fails. Raises BuildFailed."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise BuildFailed(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise BuildFailed(f"{' '.join(command)} failed:\n{done.stdout}")


def build() -> None:
    """Compile what is out of date. Raises BuildFailed."""
    if not stale_modules() and not limit_is_stale():
        return
    with alone():
        modules = stale_modules()
        if modules:
            # A process of its own: what compilers print can be kept back only there.
            run([sys.executable, "-m", "benchmarks.build", *map(str, modules)])
        if limit_is_stale():
            fresh = LIMIT.with_suffix(".new")
            run([*shlex.split(os.environ.get("CC", "cc")), "-O2", "-o", str(fresh), str(LIMIT_SOURCE)])
            fresh.replace(LIMIT)


def compile_modules(modules: list[Path]) -> None:
    """Compile modules and put each in its place in one step, so that nobody ever loads half a file."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    started = time.time()
    directives = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["gearfast"]["directives"]
    extensions = [
        Extension(
            module(source),
            [str(source.relative_to(ROOT))],
            include_dirs=["."],
            extra_compile_args=["-O2", "-fno-semantic-interposition"],
        )
        for source in modules
    ]
    made = cythonize(extensions, build_dir=str(PLACE), include_path=["."], compiler_directives=directives)
    command = Distribution({"ext_modules": made}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(PLACE / "lib"), str(PLACE / "temp")
    command.parallel, command.force = os.cpu_count() or 1, True
    command.ensure_finalized()
    command.run()
    for source in modules:
        fresh = Path(command.get_ext_fullpath(module(source)))
        # As old as the start: a source that was changed meanwhile is newer, and compiled again.
        os.utime(fresh, (started, started))
        fresh.replace(compiled(source))


def main() -> int:
    """Build what is out of date, or exactly the modules named."""
    named = [Path(word).resolve() for word in sys.argv[1:]]
    if named:
        compile_modules(named)
        return 0
    try:
        build()
    except BuildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
