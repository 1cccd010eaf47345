"""Jobs in MySQL and MariaDB."""

from gearfast.plugins.mysql.store import MySql

__all__ = ["MySql"]
