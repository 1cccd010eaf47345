"""Jobs in Redis, or Valkey."""

from gearfast.plugins.redis.store import Redis

__all__ = ["Redis"]
