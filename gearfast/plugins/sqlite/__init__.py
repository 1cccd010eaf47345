"""Jobs in one SQLite file."""

from gearfast.plugins.sqlite.store import Sqlite

__all__ = ["Sqlite"]
