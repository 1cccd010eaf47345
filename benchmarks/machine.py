"""What the report states of the machine, the versions and the commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.processes import Cores

ROOT = Path(__file__).resolve().parent.parent


def machine(cores: Cores) -> dict[str, str]:
    """Return what a reader needs to judge the figures; each value is text."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "") if Path("/etc/os-release").exists() else "",
        "congestion control": _text("/proc/sys/net/ipv4/tcp_congestion_control"),
        "pinning": str(cores),
        "cores of the servers": str(len(cores.servers)),
        "busy before": f"{os.getloadavg()[0]:.2f} runnable processes, mean of the last minute",
        "python": platform.python_version(),
        "uvloop": _package("uvloop"),
        "cython": _package("cython"),
        "compiler": first_line(os.environ.get("CC", "cc"), "--version"),
        "C library": " ".join(platform.libc_ver()),
    }


def commit() -> str:
    """Return this project's commit, "-dirty" behind it where files were changed; "unknown" outside a checkout."""
    found = first_line("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    if not found:
        return "unknown"
    changed = first_line("git", "-C", str(ROOT), "status", "--porcelain")
    return f"{found}-dirty" if changed else found


def first_line(*command: str) -> str:
    """Return the first line that a program prints, or "" when it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _memory() -> str:
    kilobytes = _field("/proc/meminfo", "MemTotal").split()
    return f"{int(kilobytes[0]) / 2**20:.1f} GiB" if kilobytes else ""


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
