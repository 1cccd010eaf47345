"""What the machine, or the container on it, lets this process have."""

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def memory() -> int:
    """Return the bytes of memory this process may have: the machine's, or the least limit of its control groups."""
    own = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([own, *_limits()])


def _limits() -> Iterator[int]:
    """Yield the limit of each group the process is in, and of those around it (version 2 and version 1 of groups)."""
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        base, name = (GROUPS / "memory", "memory.limit_in_bytes") if controllers else (GROUPS, "memory.max")
        group = base / path.strip("/")
        for place in (
            group,
            *group.parents,
        ):  # in a container only the last one may be there
            if place.is_relative_to(base):
                limit = _text(place / name).strip()
                if limit.isdigit() and int(limit) > 0:
                    yield int(limit)


def _text(path: Path) -> str:
    """Return what is in a file; nothing if it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
