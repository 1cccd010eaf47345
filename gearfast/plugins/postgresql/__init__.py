"""Jobs in PostgreSQL."""

from gearfast.plugins.postgresql.store import PostgreSql

__all__ = ["PostgreSql"]
