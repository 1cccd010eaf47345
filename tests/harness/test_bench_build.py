"""What the benchmarks compile: only what is out of date, without a word, and with the compiler's words if it fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import build

pytestmark = pytest.mark.timeout(300)


def test_everything_is_built_once() -> None:
    build.build()
    made = {build.compiled(source): build.compiled(source).stat().st_mtime_ns for source in build.sources()}
    assert build.ROOT / "benchmarks" / f"load{build.SUFFIX}" in made
    assert build.stale_modules() == []
    assert not build.limit_is_stale()
    build.build()
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_what_is_older_than_a_source_is_stale(tmp_path: Path) -> None:
    old, new, result = (tmp_path / name for name in ("old.pyx", "new.pxd", "result.so"))
    for path, seconds in ((old, 1000), (result, 2000), (new, 3000)):
        path.touch()
        os.utime(path, (seconds, seconds))
    assert not build.stale(result, [old])
    assert build.stale(result, [old, new])
    assert build.stale(tmp_path / "never made.so", [old])


def test_a_compiler_that_refuses_is_heard() -> None:
    with pytest.raises(build.BuildFailed, match=r"failed:\nline 3: no such thing"):
        build.run([sys.executable, "-c", "import sys; print('line 3: no such thing'); sys.exit(1)"])


def test_a_compiler_that_is_missing_is_named() -> None:
    with pytest.raises(build.BuildFailed, match="no-such-compiler cannot be run"):
        build.run(["no-such-compiler", "-O2"])


def test_a_compiler_that_is_content_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    build.run([sys.executable, "-c", "print('a warning')"])
    assert capfd.readouterr() == ("", "")
