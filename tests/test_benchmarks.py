"""The benchmark runs, checks its answers and prints both servers."""

import re
import subprocess
import sys

from tests.peers import PROJECT, peer


def test_smoke_benchmark() -> None:
    peer("gearmand")
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--share", "0.01", "--only", "submit"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert re.search(r"gearfast.*gearmand", head)
    assert rows
    figures = [re.findall(r"[\d.]+ \( *[\d,]+\)", row) for row in rows]
    assert [len(cells) for cells in figures] == [2] * len(rows)
    assert all(row.startswith("submit") for row in rows)
