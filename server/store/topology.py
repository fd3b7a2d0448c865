"""Where the store is: `redis.url` as a place, which says where its primary is now."""

from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec


class UnsupportedStoreUrl(ValueError):
    """`redis.url` is wrong or asks for what this version cannot do; the message says which."""


class Target(msgspec.Struct, frozen=True):
    """One Redis or Valkey node. With `path` it is a unix socket, else TCP."""

    host: str = ""
    port: int = 6379
    path: str = ""
    db: int = 0
    username: str = ""
    password: str = ""
    tls: bool = False

    def __repr__(self) -> str:
        """Without the password: targets are logged."""
        return self.path or f"{self.host}:{self.port}"

    @property
    def redis_url(self) -> str:
        """The same target for redis-py, without credentials (they are passed beside it)."""
        if self.path:
            return f"unix://{self.path}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}/{self.db}"


class Place:
    """Where a primary is found. This one is a node that never moves; see sentinel.py for one that does."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __repr__(self) -> str:
        """For logs."""
        return repr(self.target)

    async def find(self) -> Target:
        """Where to connect now. Raises StoreUnavailable."""
        return self.target

    def on_move(self, moved: Callable[[Target], None]) -> None:
        """Have `moved` called with every new primary."""

    def suspect(self) -> None:
        """It looks as if the primary were another one: look soon."""

    async def close(self) -> None:
        """Stop looking."""


def parse_url(url: str) -> Target:
    """`redis://[user[:password]@]host[:port][/db]`, `rediss://…` or `unix:///path?db=n`.

    Raises UnsupportedStoreUrl.
    """
    parts = urlsplit(url)
    if parts.scheme in ("redis+sentinel", "redis+cluster"):
        raise UnsupportedStoreUrl(
            f"redis.url: {parts.scheme}:// is not in this version; use redis:// rediss:// unix://"
        )
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    query = parse_qs(parts.query)
    try:
        if parts.scheme == "unix":
            if parts.hostname or not parts.path.startswith("/"):
                raise UnsupportedStoreUrl("redis.url: unix:// needs an absolute path")
            db = int(query.get("db", ["0"])[0])
            return Target(path=unquote(parts.path), db=db, username=username, password=password)
        if parts.scheme in ("redis", "rediss"):
            if not parts.hostname:
                raise UnsupportedStoreUrl("redis.url: the host is missing")
            db = int(parts.path.strip("/") or 0)
            tls = parts.scheme == "rediss"
            return Target(
                host=parts.hostname,
                port=parts.port or 6379,
                db=db,
                tls=tls,
                username=username,
                password=password,
            )
    except UnsupportedStoreUrl:
        raise
    except ValueError:
        raise UnsupportedStoreUrl("redis.url: the port or the database is not a number") from None
    raise UnsupportedStoreUrl("redis.url: use redis:// rediss:// or unix://")
