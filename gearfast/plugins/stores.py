"""Which store a URL leads to: one of ours, or one that a third party brought along."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from gearfast.errors import ConfigError, GearfastError
from gearfast.store.checked import store_of
from gearfast.store.contract import Store, StoreSettings
from gearfast.store.password import without_password

GROUP: Final = "gearfast.stores"
"""Of the entry points that third parties add stores by: the name is the URL's scheme, the object makes the store."""

Maker = Callable[[StoreSettings], Store]


def _sqlite() -> Maker:
    from gearfast.plugins.sqlite import Sqlite

    return Sqlite


def _postgresql() -> Maker:
    from gearfast.plugins.postgresql import PostgreSql

    return PostgreSql


def _mysql() -> Maker:
    from gearfast.plugins.mysql import MySql

    return MySql


def _redis() -> Maker:
    from gearfast.plugins.redis import Redis

    return Redis


# Imported only when asked for: each needs a package that most people do not have.
BUILT_IN: Final[dict[str, Callable[[], Maker]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "postgres": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "redis": _redis,
    "rediss": _redis,
    "valkey": _redis,
    "valkeys": _redis,
    "unix": _redis,
}
EXTRAS: Final = {"asyncpg": "postgres", "asyncmy": "mysql", "redis": "redis", "hiredis": "redis", "_sqlite3": ""}
"""The packages that our stores need, and the extra of gearfast that brings each."""
FORGETFUL: Final = ("memcached", "memcache", "libmemcached")
EXAMPLES: Final = "sqlite:FILE, postgresql://..., mysql://... or redis://..."


def make_store(settings: StoreSettings) -> Store:
    """Make the store that the settings name; it is not opened. Raises ConfigError when there is none of that kind."""
    if not isinstance(settings, StoreSettings):
        raise ConfigError(
            f"make_store takes StoreSettings, not {type(settings).__name__}: StoreSettings(url='sqlite:FILE')"
        )
    scheme, colon, _ = settings.url.partition(":")
    scheme = scheme.lower()
    if not colon:
        raise ConfigError(f"{without_password(settings.url)!r} does not name a store: write {EXAMPLES}")
    if scheme in FORGETFUL:
        raise ConfigError(f"memcached keeps nothing when it restarts: use --store {EXAMPLES}")
    if scheme in BUILT_IN:
        return _built_in(scheme)(settings)
    return _brought_along(scheme, settings)


def known() -> list[str]:
    """Return the schemes of all stores there are."""
    return [*BUILT_IN, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(BUILT_IN))]


def _built_in(scheme: str) -> Maker:
    try:
        return BUILT_IN[scheme]()
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(package)
        if extra is None:
            raise ConfigError(f"the store {scheme}: cannot be loaded: {error}") from error
        cure = f"pip install 'gearfast[{extra}]'" if extra else "use a Python that was built with SQLite"
        raise ConfigError(f"the store {scheme}: needs the package {package}: {cure}") from error


def _brought_along(scheme: str, settings: StoreSettings) -> Store:
    for entry in entry_points(group=GROUP):
        if entry.name.lower() == scheme:
            return _made(entry, replace(settings, url=f"{scheme}:{settings.url.partition(':')[2]}"))
    typed = without_password(settings.url)
    raise ConfigError(f"there is no store for {typed!r}: use one of those that are known: {', '.join(known())}")


def _made(entry: EntryPoint, settings: StoreSettings) -> Store:
    """Load what a third party wrote, and make its store; whatever it raises becomes one line."""
    try:
        make: Any = entry.load()
        made: object = make(settings)
    except GearfastError:
        raise
    except Exception as error:
        raise ConfigError(_unusable(entry, f"{type(error).__name__}: {error}")) from error
    try:
        store = store_of(made)
    except ConfigError as error:
        raise ConfigError(_unusable(entry, error)) from None
    if store is None:
        raise ConfigError(_unusable(entry, "it made None"))
    return store


def _unusable(entry: EntryPoint, reason: object) -> str:
    return f"the store {entry.name}: ({entry.value}) cannot be used: {' '.join(str(reason).split())}"
