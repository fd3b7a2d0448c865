"""Where the store is: `redis.url` as a place, which says where its primary is now."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from redis.asyncio import Redis

SENTINEL_PORT = 26379


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


class Watched(msgspec.Struct, frozen=True):
    """A primary that Sentinels watch under `name`. `node`: what all store nodes share, all but an address."""

    sentinels: tuple[Target, ...]
    name: str
    node: Target

    def at(self, host: str, port: int) -> Target:
        """The store node at this address."""
        return msgspec.structs.replace(self.node, host=host, port=port)


class Clustered(msgspec.Struct, frozen=True):
    """A Cluster, known by some of its nodes. `node`: what all nodes share, all but an address."""

    nodes: tuple[Target, ...]
    node: Target


class Place:
    """Where a primary is found. This one is a node that never moves; sentinel.py has one that does."""

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

    def pool(self) -> Redis:
        """redis-py's connections to it."""
        target = self.target
        return Redis.from_url(target.redis_url, **pool_options(target))

    async def close(self) -> None:
        """Stop looking."""


def pool_options(node: Target) -> dict[str, Any]:
    """What redis-py's connections to a node are made with, beside its address."""
    return {
        "username": node.username or None,
        "password": node.password or None,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 3.0,
        "health_check_interval": 15,
    }


def parse_url(url: str) -> Target | Watched | Clustered:
    """`redis://[user[:password]@]host[:port][/db]`, `rediss://…`, `unix:///path?db=n`,
    `redis+sentinel://[user[:password]@]host[:port],…/name[/db]`, where user and password are the store's, or
    `redis+cluster://[user[:password]@]host[:port],…` with some of the nodes.

    Queries of the last two: `tls=1`; `sentinel_username` and `sentinel_password` when Sentinels want some.
    Raises UnsupportedStoreUrl.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in login.partition(":"))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    tls = parts.scheme == "rediss" or query.get("tls") == "1"
    node = Target(username=username, password=password, tls=tls)
    match parts.scheme:
        case "unix":
            if hosts or not parts.path.startswith("/"):
                raise UnsupportedStoreUrl("redis.url: unix:// needs an absolute path")
            return msgspec.structs.replace(node, path=unquote(parts.path), db=_number(query.get("db", "0")))
        case "redis" | "rediss":
            host, port = _address(hosts, node.port)
            return msgspec.structs.replace(
                node, host=host, port=port, db=_number(parts.path.strip("/") or "0")
            )
        case "redis+sentinel":
            name, _, db = parts.path.strip("/").partition("/")
            if not name:
                raise UnsupportedStoreUrl("redis.url: the name of what the Sentinels watch is missing")
            theirs = Target(
                username=query.get("sentinel_username", ""),
                password=query.get("sentinel_password", ""),
                tls=tls,
            )
            sentinels = tuple(
                msgspec.structs.replace(theirs, host=host, port=port)
                for host, port in (_address(each, SENTINEL_PORT) for each in hosts.split(","))
            )
            return Watched(sentinels, unquote(name), msgspec.structs.replace(node, db=_number(db or "0")))
        case "redis+cluster":
            if parts.path.strip("/"):
                raise UnsupportedStoreUrl("redis.url: a cluster has no databases")
            addresses = [_address(each, node.port) for each in hosts.split(",")]
            nodes = tuple(msgspec.structs.replace(node, host=host, port=port) for host, port in addresses)
            return Clustered(nodes, node)
        case _:
            known = "redis:// rediss:// unix:// redis+sentinel:// or redis+cluster://"
            raise UnsupportedStoreUrl(f"redis.url: use {known}")


def _address(text: str, default_port: int) -> tuple[str, int]:
    """host[:port], an IPv6 host in brackets."""
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket:
        host, _, port = text.partition(":")
    else:
        port = rest.removeprefix(":")
    if not host:
        raise UnsupportedStoreUrl("redis.url: the host is missing")
    return host, _number(port) if port else default_port


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UnsupportedStoreUrl("redis.url: the port or the database is not a number") from None
