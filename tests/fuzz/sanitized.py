"""Builds what the fuzzer runs: a copy of the tree in build/fuzz, compiled by clang for libFuzzer and its sanitizers.

`python -m tests.fuzz.sanitized` builds what is out of date; `python -m tests.fuzz` runs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.build import ROOT, SUFFIX

PLACE = ROOT / "build" / "fuzz"
LIBRARY = PLACE / "libfuzz.so"
LOG = PLACE / "build.log"
CORPUS = Path(__file__).with_name("corpus")

CLANGS = ("clang", *(f"clang-{version}" for version in range(22, 13, -1)))
RUNTIMES = ("asan", "fuzzer_no_main")

OPTIONS = (
    "detect_leaks=0",  # the interpreter frees nothing at its end; the driver looks for what every play leaves behind
    "verify_asan_link_order=0",  # libFuzzer comes first: it hears of lines that AddressSanitizer has functions for, too
    "detect_odr_violation=0",
    "handle_abort=0",
    "quarantine_size_mb=8",
    "allocator_release_to_os_interval_ms=-1",
    "malloc_context_size=8",
)


class CannotBuild(Exception):  # noqa: N818
    """Something is missing, or a compiler refused; the message says what, and what to do."""


def runtime(clang: str, name: str) -> Path | None:
    """Return the library that clang brings along, if it is there."""
    kind = "so" if name == "asan" else "a"
    machine = os.uname().machine
    said = subprocess.run(
        [clang, f"-print-file-name=libclang_rt.{name}-{machine}.{kind}"], capture_output=True, text=True, check=False
    )
    found = Path(said.stdout.strip())
    return found if found.is_absolute() and found.exists() else None


def find_clang() -> str | None:
    """Return a clang that has libFuzzer and AddressSanitizer, if there is one."""
    for clang in CLANGS:
        if shutil.which(clang) and all(runtime(clang, name) for name in RUNTIMES):
            return clang
    return None


def install_clang() -> None:
    """Have apt bring it. Raises CannotBuild where it cannot."""
    cure = "install clang with its runtime libraries (Debian: clang-14 libclang-rt-14-dev, or a newer pair)"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotBuild(f"The fuzzer needs clang, libFuzzer and AddressSanitizer: {cure}")
    attempts: list[tuple[str, ...]] = [("apt-get", "-q", "update")]
    attempts += [
        ("apt-get", "-q", "-y", "install", "--no-install-recommends", f"clang-{version}", f"libclang-rt-{version}-dev")
        for version in (14, 16, 18, 19, 20)
    ]
    for words in attempts:
        subprocess.run(words, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, check=False)
        if find_clang():
            return
    raise CannotBuild(f"apt-get could not install clang: {cure}")


def clang_of_this_machine() -> str:
    """Return one, installed if need be. Raises CannotBuild."""
    if find_clang() is None:
        install_clang()
    return find_clang() or ""


# --- the copy ---


def sources() -> list[Path]:
    """Return what is copied."""
    kinds = (".py", ".pyi", ".pyx", ".pxd", ".typed")
    found = [ROOT / name for name in ("setup.py", "packaging/docstrings.py", "pyproject.toml", "README.md", "LICENSE")]
    for folder in ("gearfast", "benchmarks", "tests"):
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds]
    return found


def copy() -> None:
    """Bring the copy up to date; a file that is the same stays as it is, and what was built from it."""
    for source in sources():
        target = PLACE / source.relative_to(ROOT)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def run(words: list[str | Path], **more: str) -> None:
    """Run a compiler in the copy. Raises CannotBuild with the end of what it said."""
    with LOG.open("a") as log:
        done = subprocess.run(
            words, cwd=PLACE, env=os.environ | more, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        end = "".join(LOG.read_text().splitlines(keepends=True)[-30:])
        raise CannotBuild(f"{' '.join(map(str, words))} failed; {LOG} has all of it:\n{end}")


def build() -> None:
    """Build what is out of date. Raises CannotBuild."""
    clang = clang_of_this_machine()
    PLACE.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    copy()
    run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], CC=clang, GEARFAST_FUZZ="1")
    if not LIBRARY.exists():
        whole = ["-Wl,--whole-archive", str(runtime(clang, "fuzzer_no_main")), "-Wl,--no-whole-archive"]
        run([clang, "-shared", "-o", LIBRARY, *whole, "-lstdc++", "-lm", "-lpthread"])
    rooms = sorted((PLACE / "tests" / "fuzz").glob("*.pyx"))
    built = [room.with_name(room.stem + SUFFIX) for room in rooms]
    newest = max(
        path.stat().st_mtime for folder in ("gearfast", "tests/fuzz") for path in (PLACE / folder).rglob("*.p*")
    )
    if any(not path.exists() or path.stat().st_mtime < newest for path in built):
        run([sys.executable, "-m", "benchmarks.build", *rooms], PYTHONPATH=str(PLACE))


def environment() -> dict[str, str]:
    """Return what the fuzzer is run with."""
    asan = runtime(clang_of_this_machine(), "asan")
    return os.environ | {
        "ASAN_OPTIONS": ":".join(OPTIONS),
        "LD_PRELOAD": f"{LIBRARY}:{asan}",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(PLACE),
    }


if __name__ == "__main__":
    try:
        build()
    except CannotBuild as failure:
        sys.exit(str(failure))
