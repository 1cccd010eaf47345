"""The certificate of servers that are measured over TLS: made for the occasion, by `openssl`."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.subjects import StartError

PROGRAM = "openssl"
WORDS = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench"


def missing() -> str:
    """Return why there is none, with what brings it, or ""."""
    return "" if shutil.which(PROGRAM) else "no openssl to make a certificate with: apt install openssl"


@contextlib.contextmanager
def secured() -> Iterator[tuple[list[str], str]]:
    """Yield the words that have gearfast speak TLS on its port, and plainly at the Unix socket of that path.

    Raises StartError.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:  # not below this tree: such a path must be short
        certificate, key, path = (str(Path(folder) / name) for name in ("bench.pem", "bench.key", "plain.sock"))
        words = [PROGRAM, *WORDS.split(), "-keyout", key, "-out", certificate]
        try:
            subprocess.run(words, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(f"no certificate for TLS: {error}") from error
        yield ["--ssl", f"--ssl-certificate={certificate}", f"--ssl-key={key}", f"--listen=unix:{path}"], path
