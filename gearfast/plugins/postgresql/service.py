"""The file of services: connection parameters of PostgreSQL under a name (libpq's ``pg_service.conf``)."""

import os
from collections.abc import Iterator, Mapping

from gearfast.errors import ConfigError


def read_service(name: str, file: str) -> dict[str, str]:
    """Return the parameters of a service. ``file`` is the one that was asked for; empty: the user's or the system's.

    Raises ConfigError when the service is not defined, or its lines cannot be read.
    """
    looked = []
    for path in places(file, os.environ):
        looked.append(path)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as lines:
                found = section(name, path, lines)
        except OSError:
            continue
        if found is not None:
            return found
    raise ConfigError(f"the service {name!r} of PostgreSQL is not defined in {' or '.join(looked)}: add it there")


def places(file: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that libpq looks at."""
    yield file or os.path.expanduser("~/.pg_service.conf")
    yield os.path.join(environment.get("PGSYSCONFDIR", "/etc/postgresql-common"), "pg_service.conf")


def section(name: str, path: str, lines: Iterator[str]) -> dict[str, str] | None:
    """Return what stands under ``[name]``; None when that is not there. Raises ConfigError."""
    found: dict[str, str] | None = None
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            found = {} if line.startswith(f"[{name}]") else None
        elif found is not None:
            parameter, equals, value = line.partition("=")
            if not equals or parameter in ("service", "servicefile"):
                raise ConfigError(f"{path}, line {number}: {parameter!r} cannot be part of a service: write name=value")
            found.setdefault(parameter, value)
    return found
